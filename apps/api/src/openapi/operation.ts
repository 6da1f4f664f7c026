import type { z } from 'zod';
import type { ProblemCode } from '../problem/app-error.js';

/** What the OpenAPI document says of one route beside its method, path and status, which Nest knows. */
export interface Operation {
  /** As generated clients call it. */
  readonly id: string;
  readonly summary: string;
  /** Without a key. */
  readonly open?: boolean;
  readonly description?: string;
  /** It will go in a later release: before that, the check lets nothing go. */
  readonly deprecated?: boolean;
  /** By default the path's first part below /v1. */
  readonly tag?: string;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  /** Of the body, where its fields' own examples do not make a good one. */
  readonly example?: unknown;
  /** Left out: no content. */
  readonly answer?: z.ZodType;
  /** The `ETag` of the answer. */
  readonly etag?: (answer: Readonly<Record<string, unknown>>) => string;
  /** Whether it heeds `If-Match`. */
  readonly ifMatch?: boolean;
  /** Answers with another status than the usual one. */
  readonly others?: Readonly<Record<number, { readonly description: string; readonly answer: z.ZodType }>>;
  /** Refusals beside those that follow from its having a key, a body, a query or an id. */
  readonly problems?: readonly ProblemCode[];
}

const key = Symbol('posthorn:operation');

/** Documents a route. A route without it fails a test. */
export const Documented =
  (operation: Operation): MethodDecorator =>
  (_target, _name, descriptor) => {
    Reflect.defineMetadata(key, operation, descriptor.value as object);
    return descriptor;
  };

export const operationOf = (handler: object): Operation | undefined =>
  Reflect.getMetadata(key, handler) as Operation | undefined;
