import type { JsonValue } from '#libs/core';

/**
 * What an expression computes with. Numbers of an event are `number` (CEL's double), literals without a point are `bigint`
 * (CEL's int); maps come from JSON alone.
 */
export type CelValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Timestamp
  | Duration
  | readonly CelValue[]
  | { readonly [name: string]: JsonValue };

/** An error of CEL: a value that most operators hand on, and `&&`, `||`, `all` and `exists` may do without. */
export class Failure {
  constructor(readonly message: string) {}
}

export type Result = CelValue | Failure;

export class Timestamp {
  /** @param nanos since 1970 */
  constructor(readonly nanos: bigint) {}
}

export class Duration {
  constructor(readonly nanos: bigint) {}
}

export type CelMap = { readonly [name: string]: JsonValue };

export const isMap = (value: Result): value is CelMap =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  !(value instanceof Timestamp || value instanceof Duration || value instanceof Failure);

export const isList = (value: Result): value is readonly CelValue[] => Array.isArray(value);

/** CEL's word for it, for messages. */
export function typeName(value: CelValue): string {
  switch (typeof value) {
    case 'string':
      return 'string';
    case 'bigint':
      return 'int';
    case 'number':
      return 'double';
    case 'boolean':
      return 'bool';
    default:
      if (value === null) return 'null';
      if (value instanceof Timestamp) return 'timestamp';
      if (value instanceof Duration) return 'duration';
      return isList(value) ? 'list' : 'map';
  }
}
