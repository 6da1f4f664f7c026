import type { Budget } from './budget.js';
import { Duration, Failure, isList, Timestamp, typeName, type CelValue, type Result } from './value.js';

export type ArithmeticOperator = '+' | '-' | '*' | '/' | '%';

const [minInt, maxInt] = [-(2n ** 63n), 2n ** 63n - 1n];
/** 0001-01-01T00:00:00Z up to the end of 9999, and the 10,000 years of protobuf's Duration. */
const [firstNanos, lastNanos] = [-62_135_596_800_000_000_000n, 253_402_300_799_999_999_999n];
const longestNanos = 315_576_000_000n * 1_000_000_000n;

const overflow = new Failure('The result is out of range');
const byZero = new Failure('Division by zero');

export const inInt = (value: bigint): Result => (value < minInt || value > maxInt ? overflow : value);

export const timestamp = (nanos: bigint): Result =>
  nanos < firstNanos || nanos > lastNanos ? overflow : new Timestamp(nanos);

export const duration = (nanos: bigint): Result =>
  nanos < -longestNanos || nanos > longestNanos ? overflow : new Duration(nanos);

/** Two ints, two doubles (never one of each), and what `+` and `-` mean for texts, lists and times. */
export function calculate(operator: ArithmeticOperator, a: CelValue, b: CelValue, budget: Budget): Result {
  if (typeof a === 'bigint' && typeof b === 'bigint') return ofInts(operator, a, b);
  if (typeof a === 'number' && typeof b === 'number') return ofDoubles(operator, a, b);
  if (operator === '+') {
    if (typeof a === 'string' && typeof b === 'string') {
      budget.spendText(a.length + b.length);
      return a + b;
    }
    if (isList(a) && isList(b)) {
      budget.spend(a.length + b.length);
      return a.concat(b);
    }
  }
  return ofTimes(operator, a, b) ?? noOverload(operator, a, b);
}

export const noOverload = (operator: string, a: CelValue, b: CelValue): Failure =>
  new Failure(`No such overload: ${typeName(a)} ${operator} ${typeName(b)}`);

function ofInts(operator: ArithmeticOperator, a: bigint, b: bigint): Result {
  switch (operator) {
    case '+':
      return inInt(a + b);
    case '-':
      return inInt(a - b);
    case '*':
      return inInt(a * b);
    case '/':
      return b === 0n ? byZero : inInt(a / b);
    case '%':
      return b === 0n ? byZero : a % b;
  }
}

function ofDoubles(operator: ArithmeticOperator, a: number, b: number): Result {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return a / b;
    case '%':
      return noOverload(operator, a, b);
  }
}

function ofTimes(operator: ArithmeticOperator, a: CelValue, b: CelValue): Result | null {
  if (operator === '+') {
    if (a instanceof Timestamp && b instanceof Duration) return timestamp(a.nanos + b.nanos);
    if (a instanceof Duration && b instanceof Timestamp) return timestamp(a.nanos + b.nanos);
    if (a instanceof Duration && b instanceof Duration) return duration(a.nanos + b.nanos);
  } else if (operator === '-') {
    if (a instanceof Timestamp && b instanceof Timestamp) return duration(a.nanos - b.nanos);
    if (a instanceof Timestamp && b instanceof Duration) return timestamp(a.nanos - b.nanos);
    if (a instanceof Duration && b instanceof Duration) return duration(a.nanos - b.nanos);
  }
  return null;
}
