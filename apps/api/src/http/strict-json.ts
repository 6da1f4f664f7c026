import { isUtf8 } from 'node:buffer';

export type StrictJson =
  | { readonly ok: true; readonly value: unknown }
  /** `pointer` (RFC 6901) says where. */
  | { readonly ok: false; readonly pointer: string; readonly code: string; readonly detail: string };

const deepest = 256;
/** In a text that is JSON, these are all that there is beside blanks. */
const tokens = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*|[{}[\],:]|true|false|null/g;

/**
 * JSON of which every reader makes the same value (RFC 7493): valid UTF-8, no name twice in an object, no number that a
 * double does not hold. Beyond that, no `__proto__` and no nesting that later code would fail on.
 */
export function strictJson(bytes: Buffer): StrictJson {
  if (!isUtf8(bytes)) return { ok: false, pointer: '', code: 'malformed-json', detail: 'It is not valid UTF-8.' };
  const text = bytes.toString('utf8');
  try {
    const value: unknown = JSON.parse(text);
    return firstFault(text) ?? { ok: true, value };
  } catch (error) {
    const detail = error instanceof Error ? error.message : 'It cannot be parsed.';
    return { ok: false, pointer: '', code: 'malformed-json', detail };
  }
}

/** An object or array that is not closed yet. */
interface Open {
  /** Of an object. */
  readonly names: Set<string> | null;
  /** What comes next is in it under this name or at this place. */
  at: string | number;
  /** Of an object: a name comes next, not a value. */
  beforeName: boolean;
}

/** @param text is JSON */
function firstFault(text: string): (StrictJson & { ok: false }) | null {
  const open: Open[] = [];
  const fault = (code: string, detail: string): StrictJson & { ok: false } => ({
    ok: false,
    pointer: open.map(({ at }) => `/${String(at).replaceAll('~', '~0').replaceAll('/', '~1')}`).join(''),
    code,
    detail,
  });
  for (const [token] of text.matchAll(tokens)) {
    const inside = open.at(-1);
    switch (token[0]) {
      case '{':
      case '[':
        if (open.length === deepest) return fault('too-deep', `It is nested in more than ${deepest} levels.`);
        open.push({ names: token === '{' ? new Set() : null, at: token === '{' ? '' : 0, beforeName: token === '{' });
        break;
      case '}':
      case ']':
        open.pop();
        break;
      case ',':
        if (inside === undefined) break;
        if (inside.names === null) inside.at = Number(inside.at) + 1;
        else inside.beforeName = true;
        break;
      case '"': {
        if (!inside?.names || !inside.beforeName) break;
        const name = JSON.parse(token) as string;
        inside.at = name;
        inside.beforeName = false;
        if (inside.names.has(name)) return fault('duplicate-name', 'The object has this name twice.');
        if (name === '__proto__') return fault('forbidden-name', 'This name is not taken.');
        inside.names.add(name);
        break;
      }
      default:
        if (/^[-\d]/.test(token) && !isExact(token))
          return fault('number-too-large', 'It is beyond what numbers of JSON hold exactly: send it as a string.');
    }
  }
  return null;
}

/** Fractions are approximate everywhere; whole numbers are not. */
function isExact(token: string): boolean {
  const value = Number(token);
  return /[.eE]/.test(token) ? Number.isFinite(value) : Number.isSafeInteger(value);
}
