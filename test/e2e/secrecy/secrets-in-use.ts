import { appendFileSync } from 'node:fs';
import { inject } from 'vitest';
import { formsOf } from '../../oracle/secret-forms.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where the files of this tier write down the secrets that they use, for the search at its end. */
    secretsFile: string;
  }
}

const inUse = new Map<string, string>();

/**
 * Has a secret looked for (invariant 8): where this file's platform ends, in all that it leaves behind, and at the end of the
 * tier, in the files of broker, registry and database. Those in what is sent to the REST API and in its answers come by
 * themselves (`noteSecrets`), those that an endpoint signs with too: call it for what no request and no answer holds.
 * @throws RangeError for one that would be found by chance
 */
export function useSecret(name: string, secret: string): void {
  if ([...inUse.values()].includes(secret)) return;
  formsOf(secret);
  const unique = inUse.has(name) ? `${name} (${inUse.size})` : name;
  inUse.set(unique, secret);
  appendFileSync(inject('secretsFile'), `${JSON.stringify([unique, secret])}\n`, { mode: 0o600 });
}

/** Those of this test file, by name. */
export const secretsInUse = (): ReadonlyMap<string, string> => inUse;

/** `useSecret` for each secret in something that went to or came from the REST API, by the names of fields and by prefixes. */
export function noteSecrets(value: unknown, name = ''): void {
  if (typeof value === 'string') {
    if (isSecret(value, name)) useSecret(name, value);
  } else if (typeof value === 'object' && value !== null) {
    // Headers that customers set on their endpoints are no secrets: they are shown to them (docs/rest-api.md).
    if (/headers$/i.test(name)) return;
    for (const [field, part] of Object.entries(value)) noteSecrets(part, Array.isArray(value) ? name : field);
  }
}

const prefixes = /^(whsec_|whsk_|ph[kt]_[0-9a-f]{12}_|-----BEGIN [A-Z ]*PRIVATE KEY)/;
const fields = /secret|token|password|passphrase|private|credential|(^|client|api|certificate)_?key$/i;

const isSecret = (value: string, name: string): boolean =>
  prefixes.test(value) ||
  (fields.test(name) && !/url$/i.test(name) && value.length >= 12 && !/^(sec|phk|pht)_[0-9A-Za-z]+$/.test(value));
