import { comparisonDepth, WorkExceeded, type Budget } from './budget.js';
import { Duration, isList, isMap, Timestamp, type CelValue } from './value.js';

/** Never an error: values of different types are different, but for numbers, which are compared as numbers. */
export function isEqual(a: CelValue, b: CelValue, budget: Budget, depth = 0): boolean {
  if (typeof a === 'string') {
    if (typeof b !== 'string' || a.length !== b.length) return false;
    budget.spendText(a.length);
    return a === b;
  }
  if (typeof a === 'number') return typeof b === 'bigint' ? isSameNumber(a, b) : a === b;
  if (typeof a === 'bigint') return typeof b === 'number' ? isSameNumber(b, a) : a === b;
  if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null) return a === b;
  if (depth === comparisonDepth) throw new WorkExceeded(`Compared values are nested deeper than ${comparisonDepth}.`);
  if (a instanceof Timestamp) return b instanceof Timestamp && a.nanos === b.nanos;
  if (a instanceof Duration) return b instanceof Duration && a.nanos === b.nanos;
  if (isList(a)) {
    if (!isList(b) || a.length !== b.length) return false;
    budget.spend(a.length);
    return a.every((one, i) => isEqual(one, b[i] ?? null, budget, depth + 1));
  }
  if (!isMap(b)) return false;
  const names = namesOf(a, budget);
  return (
    names.length === namesOf(b, budget).length &&
    names.every((name) => Object.hasOwn(b, name) && isEqual(a[name] ?? null, b[name] ?? null, budget, depth + 1))
  );
}

/** Negative, 0 or positive; `unordered` when one of them is not a number; null for types that have no order together. */
export function orderOf(a: CelValue, b: CelValue, budget: Budget): number | 'unordered' | null {
  if (isNumeric(a) && isNumeric(b)) {
    if (Number.isNaN(a) || Number.isNaN(b)) return 'unordered';
    return a < b ? -1 : Number(a > b);
  }
  if (typeof a === 'string' && typeof b === 'string') {
    budget.spendText(Math.min(a.length, b.length));
    return a < b ? -1 : Number(a > b);
  }
  if (typeof a === 'boolean' && typeof b === 'boolean') return Number(a) - Number(b);
  if (a instanceof Timestamp && b instanceof Timestamp) return a.nanos < b.nanos ? -1 : Number(a.nanos > b.nanos);
  if (a instanceof Duration && b instanceof Duration) return a.nanos < b.nanos ? -1 : Number(a.nanos > b.nanos);
  return null;
}

/** An event's own names: never what every object has. */
export function namesOf(map: object, budget: Budget): string[] {
  const names = Object.keys(map);
  budget.spend(2 * names.length);
  return names;
}

const isNumeric = (value: CelValue): value is number | bigint => typeof value === 'number' || typeof value === 'bigint';

const isSameNumber = (double: number, int: bigint): boolean => Number.isInteger(double) && BigInt(double) === int;
