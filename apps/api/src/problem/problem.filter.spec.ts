import fastify from 'fastify';
import { describe, expect, it } from 'vitest';
import { sendProblem } from './problem.filter.js';

describe('sendProblem', () => {
  it('tells nothing of a fault of ours, and logs all of it under the id of the request', async () => {
    const logged: { details: object; message: string }[] = [];
    const server = fastify();
    const log = { error: (details: object, message: string) => void logged.push({ details, message }) };
    server.setErrorHandler((error, request, reply) => sendProblem(request, reply, error, log));
    const fault = new TypeError('cannot read secret-thing of undefined');
    server.get('/x', () => Promise.reject(fault));
    const { statusCode, body } = await server.inject('/x?token=t');
    expect(statusCode).toBe(500);
    expect(JSON.parse(body)).toMatchObject({ code: 'internal', status: 500, instance: '/x' });
    expect(body).not.toMatch(/secret-thing|TypeError|\.ts|token/);
    const { requestId } = JSON.parse(body) as { requestId: string };
    expect(logged).toEqual([
      { details: { err: fault, method: 'GET', path: '/x', requestId }, message: 'request failed' },
    ]);
    await server.close();
  });

  it('logs nothing of a callback, whose path is as good as a key', async () => {
    const logged: object[] = [];
    const server = fastify();
    server.setErrorHandler((error, request, reply) =>
      sendProblem(request, reply, error, { error: (details) => void logged.push(details) }),
    );
    server.get('/verifications/:token', () => Promise.reject(new Error('x')));
    expect((await server.inject('/verifications/key-to-it')).statusCode).toBe(500);
    expect(logged).toMatchObject([{ path: '/verifications/:token' }]);
    await server.close();
  });
});
