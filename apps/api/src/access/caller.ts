import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { AuditActor, Grant } from '#libs/core';
import type { Confinement } from '#libs/persistence';

/** Who makes a request. */
export interface Caller {
  /** As the audit log names them. */
  readonly actor: AuditActor;
  readonly grant: Grant;
  /** Null: the platform, which sees everybody's. */
  readonly confinement: Confinement | null;
}

const callers = new WeakMap<FastifyRequest, Caller>();

export const setCaller = (request: FastifyRequest, caller: Caller): void => void callers.set(request, caller);

/** @throws Error when nobody has looked who it is: a bug, since a hook does for every route below /v1 */
export function callerOf(request: FastifyRequest): Caller {
  const caller = callers.get(request);
  if (caller === undefined) throw new Error('a request whose caller was not told');
  return caller;
}

/** A parameter of a handler. */
export const FromCaller = createParamDecorator((_data: unknown, context: ExecutionContext) =>
  callerOf(context.switchToHttp().getRequest<FastifyRequest>()),
);
