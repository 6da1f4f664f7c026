/**
 * What may not stand in a log line, whoever wrote it: a field that is called as secrets are, and what looks like one in any
 * text, the messages and stacks of other people's errors included. All lines of all processes pass here (`createLogger`), and
 * what is printed when a process cannot start.
 */

const redacted = '[redacted]';

/** Names of fields, and the beginnings of `name=value` in texts. */
const secretWords =
  'secret|password|passwd|passphrase|authorization|cookie|credential|bearer|token|privatekey|apikey|masterkey|operatorkey|signingkey|clientkey';
const secretName = new RegExp(secretWords);
/** What only names or counts one. */
const harmlessName = /(id|ids|kind|count|type|version|at|ms)$/;

const isSecret = (name: string): boolean => {
  const plain = name.toLowerCase().replaceAll(/[^a-z]/g, '');
  return secretName.test(plain) && !harmlessName.test(plain);
};

/** Texts that are secrets by their looks, and what is left of them. In JSON as in plain text. */
const looks: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN ([A-Z ]*)PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)/gs, redacted],
  // Keys of endpoints (Standard Webhooks), and of the API, of which the id may be seen.
  [/\b(whsec|whsk)_[A-Za-z0-9+/=_-]+/g, `$1_${redacted}`],
  [/\b(ph[kt]_[0-9a-f]{12})_[A-Za-z0-9_-]+/g, `$1_${redacted}`],
  // Bounded, since such a text may be made so that it begins everywhere.
  [/\beyJ[\w-]{1,2000}\.[\w-]{1,2000}\.[\w-]*/g, redacted],
  // Master keys: a version, a colon, 32 bytes.
  [/\b(\d+):[A-Za-z0-9+/]{43}=/g, `$1:${redacted}`],
  [/\b(Bearer|Basic) +[^\s"\\,]+/gi, `$1 ${redacted}`],
  // user:password@host; also without a scheme's name.
  [/(\/\/[^\s"\\/@:]*):[^\s"\\/]*@/g, `$1:${redacted}@`],
  [new RegExp(`((?:${secretWords})[a-z_-]{0,20} ?= ?)[^\\s"\\\\&;,]+`, 'gi'), `$1${redacted}`],
];

/** Plain text, or one line of JSON of which the fields are looked at by `redactedLine`. */
export function redactedText(text: string): string {
  return looks.reduce((rest, [pattern, left]) => rest.replace(pattern, left), text);
}

/** @param line JSON, as the logger writes it; its end stays as it is */
export function redactedLine(line: string): string {
  return redactedText(secretName.test(line.toLowerCase().replaceAll(/[_-]/g, '')) ? withoutSecretFields(line) : line);
}

function withoutSecretFields(line: string): string {
  try {
    const end = line.endsWith('\n') ? '\n' : '';
    return JSON.stringify(cleaned(JSON.parse(line))) + end;
  } catch {
    // No JSON after all: what can be told by its looks is.
    return line;
  }
}

function cleaned(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(cleaned);
  return Object.fromEntries(
    Object.entries(value).map(([name, part]): [string, unknown] => [
      name,
      isSecret(name) ? hidden(part) : cleaned(part),
    ]),
  );
}

/** Whether there is one may be seen. */
const hidden = (value: unknown): unknown => (value === null || typeof value === 'boolean' ? value : redacted);
