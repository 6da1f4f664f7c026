// Real: Fastify. Doubled: where keys are kept.
import fastify, { type FastifyInstance } from 'fastify';
import { beforeEach, expect, it } from 'vitest';
import { scopeNow } from '#libs/persistence';
import { installAccess } from './access-hook.js';
import { Callers } from './callers.js';

let server: FastifyInstance;

beforeEach(() => {
  server = fastify({ genReqId: () => 'req_new' });
  const keys = { find: () => Promise.resolve(new Map<string, never>()), noteUse: () => Promise.resolve() };
  const tokens = { states: () => Promise.resolve([]) };
  const log = { warn: () => undefined };
  const operatorKey = 'operator-key-0123';
  const callers = new Callers({ operatorKey, keys, tokens, portalKeys: new Map(), now: Date.now, log });
  installAccess(server, { callers, isOurs: ({ url }) => url.startsWith('/v1/') });
});

it('takes no route below /v1 that names no scope', () => {
  expect(() => server.get('/v1/open', () => 'open')).toThrow('GET /v1/open names no scope: see Needs');
  expect(() => server.get('/v1', () => 'open')).toThrow('names no scope');
  expect(() => server.get('/healthz', () => 'well')).not.toThrow();
});

it('runs the handler in the scope of the caller, also after a body was read, and leaves the others alone', async () => {
  const config = { needs: 'endpoints:write' };
  server.post('/v1/scope', { config }, async () => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    return scopeNow();
  });
  server.post('/other', () => scopeNow());
  const headers = { authorization: 'Bearer operator-key-0123' };
  const payload = { large: 'x'.repeat(200_000) };
  const inside = await server.inject({ method: 'POST', url: '/v1/scope', headers, payload });
  expect(inside.json()).toEqual({
    confinement: null,
    actor: { kind: 'root', id: '', name: 'operator key' },
    ip: '127.0.0.1',
    requestId: 'req_new',
  });
  const outside = await server.inject({ method: 'POST', url: '/other', payload });
  expect(outside.json()).toMatchObject({ actor: { kind: 'system' }, requestId: null });
  expect((await server.inject({ method: 'POST', url: '/v1/scope', payload })).statusCode).toBe(401);
});
