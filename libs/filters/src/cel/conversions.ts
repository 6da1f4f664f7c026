import { parseRfc3339 } from '#libs/core';
import { duration, inInt, timestamp } from './arithmetic.js';
import type { Budget } from './budget.js';
import { Duration, Failure, Timestamp, typeName, type CelValue, type Result } from './value.js';

/** Nothing longer is a number or a time. */
const longestText = 64;

/** As CEL takes them. */
const boolTexts = new Map([
  ...['1', 't', 'true', 'TRUE', 'True'].map((text) => [text, true] as const),
  ...['0', 'f', 'false', 'FALSE', 'False'].map((text) => [text, false] as const),
]);

type Conversion = (value: CelValue) => Result;

export const conversionNames = (): readonly string[] => Object.keys(conversions);

/** `int(x)` and the like; a failure where the value has no such form. Undefined when there is no such function. */
export function conversion(name: string): ((value: CelValue, budget: Budget) => Result) | undefined {
  const convert = Object.hasOwn(conversions, name) ? conversions[name] : undefined;
  if (convert === undefined) return undefined;
  return (value, budget) => {
    // A text is parsed, a character in about a step; one that is too long is not.
    if (typeof value === 'string') budget.spend(Math.min(value.length, longestText));
    return convert(value);
  };
}

const conversions: Readonly<Record<string, Conversion>> = {
  int(value) {
    if (typeof value === 'bigint') return value;
    if (typeof value === 'number')
      return Number.isFinite(value) ? inInt(BigInt(Math.trunc(value))) : unconvertible('int', value);
    return typeof value === 'string' && /^[+-]?\d{1,19}$/.test(value)
      ? inInt(BigInt(value))
      : unconvertible('int', value);
  },
  double(value) {
    if (typeof value === 'number') return value;
    if (typeof value === 'bigint') return Number(value);
    if (typeof value !== 'string' || value.length > longestText || value.trim() !== value || value === '')
      return unconvertible('double', value);
    const number = Number(value);
    return Number.isNaN(number) ? unconvertible('double', value) : number;
  },
  string(value) {
    if (typeof value === 'string') return value;
    if (typeof value === 'bigint' || typeof value === 'number' || typeof value === 'boolean') return String(value);
    return unconvertible('string', value);
  },
  bool(value) {
    if (typeof value === 'boolean') return value;
    if (typeof value !== 'string' || value.length > longestText) return unconvertible('bool', value);
    return boolTexts.get(value) ?? unconvertible('bool', value);
  },
  timestamp(value) {
    if (value instanceof Timestamp) return value;
    if (typeof value === 'bigint') return timestamp(value * 1_000_000_000n);
    const instant = typeof value === 'string' ? parseRfc3339(value) : null;
    if (instant === null) return unconvertible('timestamp', value);
    return timestamp(BigInt(instant.epochMs) * 1_000_000n + BigInt(instant.subMsNanos));
  },
  duration(value) {
    if (value instanceof Duration) return value;
    const nanos = typeof value === 'string' ? nanosOf(value) : null;
    return nanos === null ? unconvertible('duration', value) : duration(nanos);
  },
  dyn: (value) => value,
};

const unconvertible = (to: string, value: CelValue): Failure =>
  new Failure(`This ${typeName(value)} cannot be converted to ${to}`);

const unitNanos: Readonly<Record<string, bigint>> = {
  h: 3_600_000_000_000n,
  m: 60_000_000_000n,
  s: 1_000_000_000n,
  ms: 1_000_000n,
  us: 1_000n,
  ns: 1n,
};

/** `1h30m`, `-1.5s`: decimal numbers with units, as Go writes them. */
function nanosOf(text: string): bigint | null {
  if (text.length > longestText) return null;
  const unsigned = /^[+-]/.test(text) ? text.slice(1) : text;
  let nanos = 0n;
  let at = 0;
  for (const part of unsigned.matchAll(/(\d+)(?:\.(\d+))?(h|ms|m|s|us|ns)/g)) {
    const [whole, digits = '', fraction = '', unit = ''] = part;
    if (part.index !== at) return null;
    at += whole.length;
    const size = unitNanos[unit] ?? 0n;
    nanos += BigInt(digits) * size + (BigInt(fraction === '' ? 0 : fraction) * size) / 10n ** BigInt(fraction.length);
  }
  if (at === 0 || at !== unsigned.length) return null;
  return text.startsWith('-') ? -nanos : nanos;
}
