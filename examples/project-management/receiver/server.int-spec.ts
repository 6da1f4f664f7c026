import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createReceiver, type Receiver } from './server.js';

/** Real: the receiver on a socket, signatures of the `standardwebhooks` package. */
describe('the example receiver', () => {
  const webhook = new Webhook(`whsec_${Buffer.alloc(32, 7).toString('base64')}`);
  const body = '{"specversion":"1.0","id":"evt_1"}';
  let receiver: Receiver;
  let url = '';

  beforeEach(async () => {
    receiver = createReceiver({ random: () => 0 });
    for (const path of ['/steady', '/flaky', '/failing'])
      receiver.setSecret(path, `whsec_${Buffer.alloc(32, 7).toString('base64')}`);
    await new Promise<void>((listening) => receiver.server.listen(0, '127.0.0.1', listening));
    url = `http://127.0.0.1:${(receiver.server.address() as AddressInfo).port}`;
  });
  afterEach(() => {
    receiver.server.close();
    receiver.server.closeAllConnections();
  });

  const post = async (path: string, id: string, at = new Date(), signedId = id): Promise<number> => {
    const headers = {
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
      'webhook-signature': webhook.sign(signedId, at, body),
    };
    return (await fetch(url + path, { method: 'POST', headers, body })).status;
  };
  const record = async (): Promise<unknown> => (await fetch(`${url}/record`)).json();

  it('acknowledges a repeat again, and processes it once', async () => {
    expect([await post('/steady', 'msg_1'), await post('/steady', 'msg_1')]).toEqual([204, 204]);
    expect(await record()).toEqual({ '/steady': { msg_1: { arrivals: 2, valid: 2, acknowledged: 2, processed: 1 } } });
  });

  it('refuses a signature of something else, and one that is too old', async () => {
    expect(await post('/steady', 'msg_1', new Date(), 'msg_2')).toBe(401);
    expect(await post('/steady', 'msg_3', new Date(Date.now() - 600_000))).toBe(401);
    expect(await record()).toMatchObject({ '/steady': { msg_1: { valid: 0 }, msg_3: { valid: 0 } } });
  });

  it('answers when it is asked whether it wants deliveries, if it knows who asks', async () => {
    const origin = { 'webhook-request-origin': 'hooks.example.com' };
    const consent = await fetch(`${url}/steady`, { method: 'OPTIONS', headers: origin });
    expect(consent.headers.get('webhook-allowed-origin')).toBe('hooks.example.com');
    expect((await fetch(`${url}/steady`, { method: 'OPTIONS' })).status).toBe(405);
    const asked = JSON.stringify({ type: 'posthorn.endpoint.verification', data: { challenge: 'abc' } });
    const signed = {
      'webhook-id': 'msg_9',
      'webhook-timestamp': String(Math.floor(Date.now() / 1_000)),
      'webhook-signature': webhook.sign('msg_9', new Date(), asked),
    };
    const answer = await fetch(`${url}/steady`, { method: 'POST', headers: signed, body: asked });
    expect(await answer.json()).toEqual({ challenge: 'abc' });
    const forged = { ...signed, 'webhook-id': 'msg_8' };
    expect((await fetch(`${url}/steady`, { method: 'POST', headers: forged, body: asked })).status).toBe(401);
    expect(await record()).toMatchObject({ '/steady': { msg_9: { processed: 0 } } });
  });

  it('does not process what it did not acknowledge', async () => {
    expect([await post('/flaky', 'msg_1'), await post('/failing', 'msg_1')]).toEqual([503, 500]);
    expect(await record()).toMatchObject({
      '/flaky': { msg_1: { processed: 0 } },
      '/failing': { msg_1: { processed: 0 } },
    });
  });

  it('refuses other paths, other methods and bodies that are too large', async () => {
    const status = async (path: string, init?: RequestInit): Promise<number> => (await fetch(url + path, init)).status;
    expect(await status('/other', { method: 'POST' })).toBe(404);
    expect(await status('/steady')).toBe(405);
    expect(await status('/steady', { method: 'POST', body: 'x'.repeat(1_100_000) })).toBe(413);
  });
});
