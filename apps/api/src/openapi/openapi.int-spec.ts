// Real: the ApiModule on Fastify, PostgreSQL. Doubled: Kafka, the schema registry.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApi, type TestApi } from '../../test/start-api.js';
import { apiDocument } from '../index.js';
import { openApiPath } from './documented-routes.js';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api?.close());

const documented = Object.entries(apiDocument().paths).flatMap(([path, methods]) =>
  Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
);

describe('the OpenAPI document', () => {
  it('has every route that the router has, and no other', () => {
    const routed = api.routes.map((route) => {
      const [method = '', url = ''] = route.split(' ');
      return `${method} ${openApiPath(url)}`;
    });
    expect(routed.toSorted()).toEqual(documented.toSorted());
    expect(routed).toContain('POST /v1/events');
  });

  it('is served as the code alone makes it, which is checked in, without a key', async () => {
    const { status, body } = await api.call('GET', '/openapi.json', undefined, { authorization: '' });
    expect(status).toBe(200);
    expect(body).toEqual(apiDocument());
  });

  it('is a page that has every route and may load nothing', async () => {
    const { status, text, headers } = await api.call('GET', '/docs', undefined, { authorization: '' });
    expect([status, headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    for (const methods of Object.values(apiDocument().paths))
      for (const operation of Object.values(methods))
        expect(text).toContain(`id="${String(operation['operationId'])}"`);
    expect(text).not.toMatch(/<script|<link|<img|javascript:| on\w+=/i);
    expect(headers['content-security-policy']).toMatch(
      /^default-src 'none'; style-src 'sha256-[^']+'; frame-ancestors 'none'$/,
    );
  });
});
