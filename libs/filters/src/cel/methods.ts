import type { Budget } from './budget.js';
import { namesOf } from './comparison.js';
import { Duration, Failure, isList, isMap, Timestamp, typeName, type CelValue, type Result } from './value.js';

/** Comparisons of single characters that take about as long as one step, where a search must go back and forth. */
const comparisonsPerStep = 512;

type TextMethod = (text: string, other: string, budget: Budget) => Result;

/** Of a text, with another one. */
export const textMethods: Readonly<Record<string, TextMethod>> = {
  startsWith(text, other, budget) {
    spendEnd(text, other, budget);
    return text.startsWith(other);
  },
  endsWith(text, other, budget) {
    spendEnd(text, other, budget);
    return text.endsWith(other);
  },
  contains(text, other, budget) {
    // V8 searches in up to length × length: `'aaa…'` for `'aa…b…aa'` takes minutes in an event of 1 MiB.
    budget.spend(Math.ceil((text.length * Math.min(text.length, other.length)) / comparisonsPerStep));
    return text.includes(other);
  },
};

/** V8 compares both ends one character after the other: ten times as slow as whole texts. */
function spendEnd(text: string, other: string, budget: Budget): void {
  if (other.length <= text.length) budget.spend(other.length >> 4);
}

type Method = (value: CelValue, budget: Budget) => Result;

const capital = /[A-Z]+/g;
const small = /[a-z]+/g;

/** Without an argument. */
export const methods: Readonly<Record<string, Method>> = {
  size: sizeOf,
  lowerAscii: ofText('lowerAscii', (text) => text.replace(capital, (found) => found.toLowerCase())),
  upperAscii: ofText('upperAscii', (text) => text.replace(small, (found) => found.toUpperCase())),
  trim: ofText('trim', (text) => text.trim()),
  getFullYear: ofDate('getFullYear', (date) => date.getUTCFullYear()),
  getMonth: ofDate('getMonth', (date) => date.getUTCMonth()),
  getDate: ofDate('getDate', (date) => date.getUTCDate()),
  getDayOfMonth: ofDate('getDayOfMonth', (date) => date.getUTCDate() - 1),
  getDayOfWeek: ofDate('getDayOfWeek', (date) => date.getUTCDay()),
  getHours: ofDate('getHours', (date) => date.getUTCHours(), 3_600n),
  getMinutes: ofDate('getMinutes', (date) => date.getUTCMinutes(), 60n),
  getSeconds: ofDate('getSeconds', (date) => date.getUTCSeconds(), 1n),
};

/** Code points of a text, elements of a list, names of a map. */
export function sizeOf(value: CelValue, budget: Budget): Result {
  if (typeof value === 'string') {
    budget.spend(value.length >> 3);
    let surrogates = 0;
    for (let i = 0; i < value.length; i += 1) if (isPair(value, i)) surrogates += 1;
    return BigInt(value.length - surrogates);
  }
  if (isList(value)) return BigInt(value.length);
  return isMap(value) ? BigInt(namesOf(value, budget).length) : noMethod('size', value);
}

export const noMethod = (name: string, value: CelValue): Failure =>
  new Failure(`No such overload: ${typeName(value)}.${name}()`);

/** Whether two units from here on are one code point. */
function isPair(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  if (code < 0xd800 || code > 0xdbff) return false;
  const next = text.charCodeAt(at + 1);
  return next >= 0xdc00 && next <= 0xdfff;
}

function ofText(name: string, change: (text: string) => string): Method {
  return (value, budget) => {
    if (typeof value !== 'string') return noMethod(name, value);
    budget.spend(value.length >> 2);
    return change(value);
  };
}

/** In UTC. Of a duration, all of it in this unit. */
function ofDate(name: string, part: (date: Date) => number, unitSeconds?: bigint): Method {
  return (value) => {
    if (value instanceof Timestamp) return BigInt(part(new Date(Number(msOf(value.nanos)))));
    if (value instanceof Duration && unitSeconds !== undefined) return value.nanos / 1_000_000_000n / unitSeconds;
    return noMethod(name, value);
  };
}

/** Rounded down, also before 1970. */
function msOf(nanos: bigint): bigint {
  const ms = nanos / 1_000_000n;
  return nanos % 1_000_000n < 0n ? ms - 1n : ms;
}
