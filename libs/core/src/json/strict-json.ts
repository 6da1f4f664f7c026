import type { JsonValue } from '../event/cloud-event.js';
import { utf8Text } from '../event/json-text.js';

export type StrictJson =
  | { readonly ok: true; readonly value: JsonValue }
  /** `pointer` (RFC 6901) says where. */
  | { readonly ok: false; readonly pointer: string; readonly code: string; readonly detail: string };

const deepest = 256;
/** In a text that is JSON, these are all that there is beside blanks. */
const tokens = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*|[{}[\],:]|true|false|null/g;

/**
 * JSON of which every reader makes the same value (RFC 7493): valid UTF-8, no name twice in an object, no number that would
 * come back as another one. Beyond that, no `__proto__` and no nesting that later code would fail on.
 *
 * Every event passes here, so that all is well is found out by counting: an object that has fewer names than its text is one
 * with a name twice. What is wrong, and where, is looked for only then.
 */
export function strictJson(bytes: Buffer): StrictJson {
  const text = utf8Text(bytes);
  if (text === null) return { ok: false, pointer: '', code: 'malformed-json', detail: 'It is not valid UTF-8.' };
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch (error) {
    const detail = error instanceof Error ? error.message : 'It cannot be parsed.';
    return { ok: false, pointer: '', code: 'malformed-json', detail };
  }
  const names = namesOfText(bytes);
  if (names !== null && names === namesOfValue(value)) return { ok: true, value };
  return firstFault(text) ?? { ok: true, value };
}

const [quote, backslash, colon] = [0x22, 0x5c, 0x3a];
const [brace, braceEnd, bracket, bracketEnd] = [0x7b, 0x7d, 0x5b, 0x5d];
const [plus, minus, point, zero, nine, exponent, smallExponent] = [0x2b, 0x2d, 0x2e, 0x30, 0x39, 0x45, 0x65];
/** Whole numbers of so many digits are exact. */
const surelyExact = 15;

/** How many names its objects have; null where a number or the nesting needs a closer look. @param bytes are JSON */
function namesOfText(bytes: Buffer): number | null {
  let names = 0;
  let depth = 0;
  for (let i = 0; i < bytes.length; i += 1) {
    const byte = bytes[i] ?? 0;
    if (byte === quote) {
      for (i += 1; bytes[i] !== quote; i += 1) if (bytes[i] === backslash) i += 1;
    } else if (byte === colon) names += 1;
    else if (byte === brace || byte === bracket) {
      depth += 1;
      if (depth > deepest) return null;
    } else if (byte === braceEnd || byte === bracketEnd) depth -= 1;
    else if (byte >= zero && byte <= nine) {
      const start = i;
      let hasExponent = false;
      while (isOfNumber(bytes[i + 1])) {
        i += 1;
        if (bytes[i] === smallExponent || bytes[i] === exponent) hasExponent = true;
      }
      const isShort = i - start < surelyExact;
      if ((hasExponent || !isShort) && !isExact(bytes.toString('latin1', start, i + 1))) return null;
    }
  }
  return names;
}

const isOfNumber = (byte: number | undefined): boolean =>
  byte !== undefined &&
  ((byte >= zero && byte <= nine) ||
    byte === point ||
    byte === smallExponent ||
    byte === exponent ||
    byte === plus ||
    byte === minus);

/** The same of what was read, in which a later name has replaced an earlier one; NaN where one of them is `__proto__`. */
function namesOfValue(value: JsonValue): number {
  if (typeof value !== 'object' || value === null) return 0;
  let names = 0;
  if (Array.isArray(value)) {
    for (const one of value as readonly JsonValue[]) names += namesOfValue(one);
    return names;
  }
  const members = value as { readonly [name: string]: JsonValue };
  for (const name in members) {
    if (name === '__proto__') return Number.NaN;
    names += 1 + namesOfValue(members[name] ?? null);
  }
  return names;
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

/** Fractions are approximate everywhere; whole numbers are not: one must come back as it was, or be the same number. */
function isExact(token: string): boolean {
  const value = Number(token);
  if (/[.eE]/.test(token)) return Number.isFinite(value);
  return String(value) === token || (Number.isFinite(value) && BigInt(token) === BigInt(value));
}
