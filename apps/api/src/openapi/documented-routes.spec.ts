import 'reflect-metadata';
import type { Type } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { ApiModule } from '../api.module.js';
import { openApiDocument } from './document.js';
import { documentedRoutes, openApiPath } from './documented-routes.js';
import { operationOf } from './operation.js';

/** Nest's kinds of a handler's arguments. */
const [bodyKind, queryKind] = [3, 4];
const controllers = Reflect.getMetadata('controllers', ApiModule) as Type[];
const handlers = controllers.flatMap((controller) => {
  const prototype = controller.prototype as Record<string, object>;
  return Object.getOwnPropertyNames(prototype).flatMap((name) => {
    const handler = Object.getOwnPropertyDescriptor(prototype, name)?.value as object;
    // A controller's own metadata stands on its constructor.
    if (name === 'constructor' || controller.name === 'DocsController') return [];
    const given = (Reflect.getMetadata('__routeArguments__', controller, name) ?? {}) as Record<string, unknown>;
    const kinds = Object.keys(given).map((key) => Number(key.split(':')[0]));
    return [{ what: `${controller.name}.${name}`, operation: operationOf(handler), kinds }];
  });
});

describe('what controllers document', () => {
  it('is every route, with a body and a query where the handler takes one', () => {
    expect(handlers.length).toBeGreaterThan(40);
    const taken = handlers.map(({ what, kinds }) => [what, true, kinds.includes(bodyKind), kinds.includes(queryKind)]);
    const documented = handlers.map(({ what, operation }) => [
      what,
      operation !== undefined,
      operation?.body !== undefined,
      operation?.query !== undefined,
    ]);
    expect(documented).toEqual(taken);
  });

  it('has the path, the method and the status that Nest answers with', () => {
    const routes = documentedRoutes(controllers).map(({ method, path, status }) => `${method} ${path} ${status}`);
    expect(routes).toEqual(
      expect.arrayContaining([
        'post /v1/tenants 201',
        'delete /v1/tenants/{id} 204',
        'post /v1/endpoints/{id}/halted-keys/{deliveryId}/skip 202',
        'get /v1/endpoints/{id}/backlog 200',
      ]),
    );
  });

  it('says what is deprecated', () => {
    const operation = { id: 'old', summary: 'Old', deprecated: true };
    const { paths } = openApiDocument([{ method: 'get', path: '/v1/old', status: 204, operation, needs: undefined }]);
    expect(paths['/v1/old']?.['get']).toMatchObject({ operationId: 'old', deprecated: true });
    expect(paths['/healthz']?.['get']).not.toHaveProperty('deprecated');
  });

  it.each([
    ['v1//:id/', '/v1/{id}'],
    ['/v1/a/:b/c.json', '/v1/a/{b}/c.json'],
    ['/', '/'],
  ])('writes %s as %s', (path, expected) => {
    expect(openApiPath(path)).toBe(expected);
  });
});
