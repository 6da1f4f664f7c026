import type { JsonValue } from '#libs/core';
import { inInt, noOverload } from './arithmetic.js';
import type { Budget } from './budget.js';
import { isEqual } from './comparison.js';
import { notBool, type Evaluate } from './evaluation.js';
import { Failure, isList, isMap, typeName, type CelMap, type CelValue, type Result } from './value.js';

/** What an operator makes of its operands, neither of which is a failure. */
export type Apply = (a: CelValue, b: CelValue, budget: Budget) => Result;

export function applied(operand: Evaluate, apply: (value: CelValue, budget: Budget) => Result): Evaluate {
  return (run) => {
    const value = operand(run);
    return value instanceof Failure ? value : apply(value, run.budget);
  };
}

export function binary(left: Evaluate, right: Evaluate, apply: Apply): Evaluate {
  return (run) => {
    const a = left(run);
    if (a instanceof Failure) return a;
    const b = right(run);
    return b instanceof Failure ? b : apply(a, b, run.budget);
  };
}

/** `decisive` of either side decides, also when the other one is an error. */
export function logical(left: Evaluate, right: Evaluate, decisive: boolean): Evaluate {
  return (run) => {
    const first = left(run);
    if (first === decisive) return decisive;
    const second = right(run);
    if (second === decisive) return decisive;
    if (typeof first === 'boolean' && typeof second === 'boolean') return !decisive;
    const wrong = typeof first === 'boolean' ? second : first;
    return wrong instanceof Failure ? wrong : notBool(wrong);
  };
}

export function conditional(condition: Evaluate, then: Evaluate, otherwise: Evaluate): Evaluate {
  return (run) => {
    const value = condition(run);
    if (typeof value === 'boolean') return value ? then(run) : otherwise(run);
    return value instanceof Failure ? value : notBool(value);
  };
}

export function listOf(elements: readonly Evaluate[]): Evaluate {
  return (run) => {
    run.budget.spend(elements.length);
    const values: CelValue[] = [];
    for (const element of elements) {
      const value = element(run);
      if (value instanceof Failure) return value;
      values.push(value);
    }
    return values;
  };
}

export function field(map: Evaluate, name: string): Evaluate {
  const absent = new Failure(`No such field: ${name.slice(0, 64)}`);
  return applied(map, (value) => (isMap(value) && Object.hasOwn(value, name) ? (value[name] ?? null) : absent));
}

const noElement = new Failure('No such element');

export function element(of: CelValue, key: CelValue, budget: Budget): Result {
  if (isList(of) && (typeof key === 'bigint' || typeof key === 'number')) {
    const place = Number(key);
    return place >= 0 && place < of.length && Number.isInteger(place) ? (of[place] ?? null) : noElement;
  }
  if (isMap(of) && typeof key === 'string') return valueAt(of, key, budget) ?? noElement;
  return new Failure(`No such overload: ${typeName(of)}[${typeName(key)}]`);
}

/** Undefined when the map has no such name. */
function valueAt(map: CelMap, name: string, budget: Budget): JsonValue | undefined {
  budget.spendName(name.length);
  return Object.hasOwn(map, name) ? (map[name] ?? null) : undefined;
}

export function isIn(value: CelValue, among: CelValue, budget: Budget): Result {
  if (isList(among)) {
    budget.spend(among.length);
    return among.some((one) => isEqual(value, one, budget));
  }
  if (isMap(among)) return typeof value === 'string' && valueAt(among, value, budget) !== undefined;
  return noOverload('in', value, among);
}

export const not = (value: CelValue): Result => (typeof value === 'boolean' ? !value : noUnary('!', value));

/** The smallest int has no counterpart. */
export function negative(value: CelValue): Result {
  if (typeof value === 'number') return -value;
  return typeof value === 'bigint' ? inInt(-value) : noUnary('-', value);
}

const noUnary = (operator: string, value: CelValue): Failure =>
  new Failure(`No such overload: ${operator}${typeName(value)}`);
