import { RouteConfig } from '@nestjs/platform-fastify';
import type { Scope } from '#libs/core';

/** What a route's config says to the access hook. */
export interface RouteNeeds {
  readonly needs?: Scope;
}

/** The scope that callers of a route must hold. A route below /v1 without one keeps the api from starting. */
export const Needs = (scope: Scope): MethodDecorator => RouteConfig({ needs: scope } satisfies RouteNeeds);
