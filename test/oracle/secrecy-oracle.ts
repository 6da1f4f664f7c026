/** Something that others may read: a log file, a record, a row, an answer. */
export interface Readable {
  readonly place: string;
  readonly bytes: Buffer;
}

export interface Sighting {
  readonly place: string;
  /** Name of the secret, never the secret. */
  readonly secret: string;
  readonly form: string;
}

/** Shorter ones would be found by chance. */
const shortest = 12;

/**
 * Where secrets can be read (invariant 8): as they are, and their bytes, each also as hex, and as base64 inside of something
 * else that was encoded as a whole.
 * @param secrets by name; `whsec_…`, `whsk_…` and `<version>:<base64>` are looked for without what stands before the base64
 */
export function sightingsOf(secrets: ReadonlyMap<string, string>, readables: Iterable<Readable>): readonly Sighting[] {
  const forms = [...secrets].flatMap(([secret, text]) => formsOf(text).map((one) => ({ secret, ...one })));
  const found: Sighting[] = [];
  for (const { place, bytes } of readables) {
    const text = bytes.toString('latin1');
    const lower = text.toLowerCase();
    for (const { secret, form, needle } of forms) {
      if ((form.startsWith('hex') ? lower : text).includes(needle)) found.push({ place, secret, form });
    }
  }
  return found;
}

interface Form {
  readonly form: string;
  readonly needle: string;
}

function formsOf(secret: string): Form[] {
  const text = secret.replace(/^(whsec_|whsk_|\d+:)/, '').replace(/=+$/, '');
  const decoded = Buffer.from(text, 'base64');
  const isBase64 = decoded.toString('base64').replace(/=+$/, '') === text;
  const forms = [{ form: 'text', needle: text }, ...encodedForms('text', Buffer.from(text, 'utf8'))];
  if (isBase64) {
    forms.push({ form: 'bytes', needle: decoded.toString('latin1') }, ...encodedForms('bytes', decoded));
  }
  if (forms.some(({ needle }) => needle.length < shortest)) throw new RangeError('a secret is too short to look for');
  return forms;
}

function encodedForms(of: string, bytes: Buffer): Form[] {
  const inBase64 = [0, 1, 2].flatMap((place): Form[] => {
    const whole = Buffer.concat([Buffer.alloc(place), bytes]).toString('base64');
    // What stands before and after it changes the letters at its ends.
    const needle = whole.slice(Math.ceil((place * 4) / 3), Math.floor(((place + bytes.length) * 4) / 3));
    const form = `base64 of ${of}`;
    return [
      { form, needle },
      { form, needle: needle.replaceAll('+', '-').replaceAll('/', '_') },
    ];
  });
  return [{ form: `hex of ${of}`, needle: bytes.toString('hex') }, ...inBase64];
}
