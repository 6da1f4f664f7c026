import 'reflect-metadata';
import { RequestMethod, type Type } from '@nestjs/common';
import type { Scope } from '#libs/core';
import { needsOf } from '../access/needs.js';
import { operationOf, type Operation } from './operation.js';

export interface DocumentedRoute {
  readonly method: 'get' | 'post' | 'patch' | 'put' | 'delete';
  /** With parameters as OpenAPI writes them: `/v1/endpoints/{id}`. */
  readonly path: string;
  /** When all went well. */
  readonly status: number;
  readonly operation: Operation;
  /** What callers must hold; undefined: nothing is asked for. */
  readonly needs: Scope | undefined;
}

/** Nest's names for what its decorators leave behind. */
const [path, method, httpCode] = ['path', 'method', '__httpCode__'];

/** What controllers document of their routes, in the order of the code. */
export function documentedRoutes(controllers: readonly Type[]): DocumentedRoute[] {
  return controllers.flatMap((controller) => {
    const base = Reflect.getMetadata(path, controller) as string;
    const prototype = controller.prototype as Record<string, object>;
    return Object.getOwnPropertyNames(prototype).flatMap((name): DocumentedRoute[] => {
      const handler = Object.getOwnPropertyDescriptor(prototype, name)?.value as object;
      const operation = operationOf(handler);
      if (operation === undefined) return [];
      const verb = methodOf(Reflect.getMetadata(method, handler) as RequestMethod);
      const given = Reflect.getMetadata(httpCode, handler) as number | undefined;
      return [
        {
          method: verb,
          path: openApiPath(`${base}/${Reflect.getMetadata(path, handler) as string}`),
          status: given ?? (verb === 'post' ? 201 : 200),
          operation,
          needs: needsOf(handler),
        },
      ];
    });
  });
}

function methodOf(verb: RequestMethod): DocumentedRoute['method'] {
  const name = RequestMethod[verb].toLowerCase();
  if (name === 'get' || name === 'post' || name === 'patch' || name === 'put' || name === 'delete') return name;
  throw new Error(`${name} cannot be documented`);
}

/** `v1/endpoints//:id/` as OpenAPI writes it. */
export const openApiPath = (path: string): string =>
  `/${path}`
    .replaceAll(/\/+/g, '/')
    .replace(/(.)\/$/, '$1')
    .replaceAll(/:(\w+)/g, '{$1}');
