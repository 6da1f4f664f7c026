import { RouteConfig } from '@nestjs/platform-fastify';
import { FASTIFY_ROUTE_CONFIG_METADATA } from '@nestjs/platform-fastify/constants.js';
import type { Scope } from '#libs/core';

/** What a route's config says to the access hook. */
export interface RouteNeeds {
  readonly needs?: Scope;
}

/** The scope that callers of a route must hold. A route below /v1 without one keeps the api from starting. */
export const Needs = (scope: Scope): MethodDecorator => RouteConfig({ needs: scope } satisfies RouteNeeds);

/** Of a controller's method. */
export const needsOf = (handler: object): Scope | undefined =>
  (Reflect.getMetadata(FASTIFY_ROUTE_CONFIG_METADATA, handler) as RouteNeeds | undefined)?.needs;
