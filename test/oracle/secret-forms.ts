import { createPrivateKey } from 'node:crypto';

/** A text or some bytes that give a secret away. */
export interface SecretForm {
  readonly form: string;
  readonly needle: Buffer;
}

/** Shorter ones would be found by chance. */
const shortest = 12;

/**
 * What a secret may look like: its text, as it is, in a URL, in JSON and in a form of hex or base64; and, where the text is
 * base64, its bytes in the same forms. What is public of it is not looked for: the prefix of keys, the claims of a token.
 * @throws RangeError for a secret that would be found by chance
 */
export function formsOf(secret: string): readonly SecretForm[] {
  const forms = secret.startsWith('-----BEGIN') ? pemForms(secret) : textForms(withoutPublicPart(secret));
  if (forms.length === 0 || forms.some(({ needle }) => needle.length < shortest))
    throw new RangeError('a secret is too short to look for');
  const seen = new Set<string>();
  return forms.filter(({ needle }) => !seen.has(needle.toString('latin1')) && seen.add(needle.toString('latin1')));
}

/** `whsec_…`, `whsk_…`, `<version>:…`, `phk_<id>_…`, `Bearer …`, and of a JWT its signature. */
const publicParts = /^((Bearer|Basic) )?(whsec_|whsk_|\d+:|ph[kt]_[0-9a-f]{12}_|eyJ[\w-]+\.[\w-]+\.(?=[\w-]{20,}$))?/;

const withoutPublicPart = (secret: string): string => secret.replace(publicParts, '').replace(/=+$/, '');

function textForms(text: string): SecretForm[] {
  const forms = [
    { form: 'text', needle: Buffer.from(text) },
    { form: 'text in JSON', needle: Buffer.from(JSON.stringify(text).slice(1, -1)) },
    { form: 'text in JSON', needle: Buffer.from(JSON.stringify(text).slice(1, -1).replaceAll('/', '\\/')) },
    ...inUrls(text),
    ...encodedForms('text', Buffer.from(text)),
  ];
  for (const encoding of ['base64', 'base64url'] as const) {
    const bytes = Buffer.from(text, encoding);
    if (bytes.toString(encoding).replace(/=+$/, '') !== text) continue;
    return [...forms, { form: 'bytes', needle: bytes }, ...encodedForms('bytes', bytes)];
  }
  return forms;
}

function inUrls(text: string): SecretForm[] {
  const quoted = encodeURIComponent(text);
  return [quoted, quoted.replaceAll(/%../g, (code) => code.toLowerCase()), quoted.replaceAll('%20', '+')].map(
    (needle) => ({ form: 'text in a URL', needle: Buffer.from(needle) }),
  );
}

/**
 * Of a private key in PEM: one line that is of the private part (however lines are kept apart where it turns up), and that
 * part's bytes. What stands in the public key as well gives nothing away.
 */
function pemForms(pem: string): SecretForm[] {
  const lines = pem.split(/\r?\n/).filter((line) => /^[A-Za-z0-9+/]{40,}=*$/.test(line));
  // A curve's private number comes first; RSA's modulus, which is public, takes the first third.
  const line = lines[lines.length > 5 ? Math.floor(lines.length / 2) : 0];
  if (line === undefined) return [];
  const text = [{ form: 'text', needle: Buffer.from(line) }];
  if (pem.includes('ENCRYPTED')) return text;
  const { d = '' } = createPrivateKey(pem).export({ format: 'jwk' }) as { d?: string };
  return [...text, ...textForms(d)];
}

function encodedForms(of: string, bytes: Buffer): SecretForm[] {
  const inBase64 = [0, 1, 2].flatMap((place): SecretForm[] => {
    const whole = Buffer.concat([Buffer.alloc(place), bytes]).toString('base64');
    // What stands before and after it changes the letters at its ends.
    const needle = whole.slice(Math.ceil((place * 4) / 3), Math.floor(((place + bytes.length) * 4) / 3));
    const form = `base64 of ${of}`;
    return [
      { form, needle: Buffer.from(needle) },
      { form, needle: Buffer.from(needle.replaceAll('+', '-').replaceAll('/', '_')) },
    ];
  });
  const hex = bytes.toString('hex');
  const inHex = [hex, hex.toUpperCase()].map((needle) => ({ form: `hex of ${of}`, needle: Buffer.from(needle) }));
  return [...inHex, ...inBase64];
}
