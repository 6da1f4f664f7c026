import { readFileSync } from 'node:fs';

/** One setting: how it is called, what it means, and how its text is read. */
export interface Setting<T> {
  readonly name: string;
  readonly type: string;
  readonly fallback: T;
  readonly sentence: string;
  readonly secret: boolean;
  /** Throws a ConfigFault with the reason when the text does not fit. */
  readonly parse: (text: string) => T;
}

/** What is wrong with one setting's text. */
export class ConfigFault extends Error {
  override readonly name = 'ConfigFault';
}

interface Range {
  readonly least: number;
  readonly most: number;
}

const within = (value: number, text: string, { least, most }: Range, unit: string): number => {
  if (!Number.isFinite(value) || value < least || value > most) {
    throw new ConfigFault(`must be ${unit} from ${least} to ${most}, not ${JSON.stringify(text)}`);
  }
  return value;
};

const whole = (text: string): number => (/^\d+$/.test(text) ? Number(text) : Number.NaN);

export const text = (
  name: string,
  fallback: string,
  sentence: string,
  rules: { secret?: boolean; url?: readonly string[]; minLength?: number; pattern?: RegExp } = {},
): Setting<string> => ({
  name,
  type: rules.url ? 'URL' : 'text',
  fallback,
  sentence,
  secret: rules.secret ?? false,
  parse(value) {
    // A secret's text is never repeated in a message, nor a password in a URL.
    const shown = rules.secret ? 'what is set' : JSON.stringify(value.replace(/\/\/[^/]*@/, '//'));
    if (rules.url && !rules.url.includes(URL.parse(value)?.protocol.slice(0, -1) ?? '')) {
      throw new ConfigFault(
        `must be a URL that begins with ${rules.url.map((s) => `${s}://`).join(' or ')}, not ${shown}`,
      );
    }
    if (rules.minLength !== undefined && value.length < rules.minLength) {
      throw new ConfigFault(`must have at least ${rules.minLength} characters, ${shown} has ${value.length}`);
    }
    if (rules.pattern && !rules.pattern.test(value))
      throw new ConfigFault(`must match ${String(rules.pattern)}, not ${shown}`);
    return value;
  },
});

/** The path of a file in PEM, which must be there and hold some. */
export const pemFile = (name: string, sentence: string): Setting<string> => ({
  name,
  type: 'file (PEM)',
  fallback: '',
  sentence,
  secret: false,
  parse(path) {
    if (!textOf(path).includes('-----BEGIN ')) throw new ConfigFault(`names a file that holds nothing in PEM: ${path}`);
    return path;
  },
});

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigFault(`names a file that cannot be read: ${error instanceof Error ? error.message : path}`);
  }
}

export const list = (
  name: string,
  fallback: readonly string[],
  sentence: string,
  rules: { each?: RegExp | ((part: string) => boolean) } = {},
): Setting<readonly string[]> => ({
  name,
  type: 'list',
  fallback,
  sentence,
  secret: false,
  parse(value) {
    const parts = value
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '');
    const { each } = rules;
    const fits = each instanceof RegExp ? (part: string) => each.test(part) : each;
    const wrong = fits && parts.find((part) => !fits(part));
    if (wrong !== undefined) throw new ConfigFault(`has an entry that does not fit: ${JSON.stringify(wrong)}`);
    return parts;
  },
});

export const count = (name: string, fallback: number, sentence: string, range: Range): Setting<number> => ({
  name,
  type: 'whole number',
  fallback,
  sentence,
  secret: false,
  parse: (value) => within(whole(value), value, range, 'a whole number'),
});

export const duration = (name: string, fallback: number, sentence: string, range: Range): Setting<number> => ({
  ...count(name, fallback, sentence, range),
  type: 'milliseconds',
  parse: (value) => within(whole(value), value, range, 'whole milliseconds'),
});

export const number = (name: string, fallback: number, sentence: string, range: Range): Setting<number> => ({
  ...count(name, fallback, sentence, range),
  type: 'number',
  parse: (value) => within(value.trim() === '' ? Number.NaN : Number(value), value, range, 'a number'),
});

export const port = (name: string, fallback: number, sentence: string): Setting<number> => ({
  ...count(name, fallback, sentence, { least: 0, most: 65_535 }),
  type: 'port',
});

export const boolean = (name: string, fallback: boolean, sentence: string): Setting<boolean> => ({
  name,
  type: 'true or false',
  fallback,
  sentence,
  secret: false,
  parse(value) {
    if (value !== 'true' && value !== 'false')
      throw new ConfigFault(`must be true or false, not ${JSON.stringify(value)}`);
    return value === 'true';
  },
});

export const choice = <const C extends string>(
  name: string,
  choices: readonly C[],
  fallback: C,
  sentence: string,
): Setting<C> => ({
  name,
  type: choices.join(' \\| '),
  fallback,
  sentence,
  secret: false,
  parse(value) {
    const found = choices.find((c) => c === value);
    if (found === undefined)
      throw new ConfigFault(`must be one of ${choices.join(', ')}, not ${JSON.stringify(value)}`);
    return found;
  },
});
