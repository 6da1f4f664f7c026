import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify';
import { allows, type Scope } from '#libs/core';
import { inScope } from '#libs/persistence';
import { AppError } from '../problem/app-error.js';
import { callerOf, setCaller, type Caller } from './caller.js';
import type { Callers } from './callers.js';
import type { RouteNeeds } from './needs.js';

const below = /^\/v1(\/|$)/;

const needsOf = (route: { readonly config?: unknown }): Scope | undefined =>
  (route.config as RouteNeeds | undefined)?.needs;

/**
 * Access to every route below /v1, in one place, before a body is read: who calls, and whether they hold the scope that the
 * route names. Then the handler runs in the caller's scope, which confines the database and signs audit entries. A route
 * that names no scope is refused when it is registered.
 */
export function installAccess(
  server: FastifyInstance,
  { callers, isOurs }: { readonly callers: Callers; readonly isOurs: (request: FastifyRequest) => boolean },
): void {
  server.addHook('onRoute', (route: RouteOptions) => {
    if (below.test(route.url) && needsOf(route) === undefined)
      throw new Error(`${String(route.method)} ${route.url} names no scope: see Needs`);
  });

  server.addHook('onRequest', (request, _reply, done) => {
    if (!isOurs(request)) {
      done();
      return;
    }
    const admit = (caller: Caller): void => {
      setCaller(request, caller);
      const needed = needsOf(request.routeOptions);
      // Without a route there is nothing to allow: it is answered with 404.
      if (needed !== undefined && !allows(caller.grant, needed)) done(forbidden(needed));
      else done();
    };
    try {
      const caller = callers.authenticate(request.headers.authorization);
      if (caller instanceof Promise) caller.then(admit, done);
      else admit(caller);
    } catch (error) {
      done(error as Error);
    }
  });

  // After the body was read: reading it leaves the scope.
  server.addHook('preHandler', (request, _reply, done) => {
    if (!isOurs(request)) {
      done();
      return;
    }
    const { confinement, actor } = callerOf(request);
    inScope({ confinement, actor, ip: request.ip, requestId: request.id }, done);
  });
}

const forbidden = (needed: Scope): AppError =>
  new AppError('forbidden', `This needs the scope ${needed}.`, {
    headers: { 'www-authenticate': `Bearer realm="posthorn", error="insufficient_scope", scope="${needed}"` },
  });
