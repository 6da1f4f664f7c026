import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { formatSecret, parseSecret, signingKey, signWebhook, verifyWebhook } from './webhook-signature.js';

const bytes = fc.uint8Array({ minLength: 24, maxLength: 64 });
const at = 1_760_000_000;

describe('webhook signatures (Standard Webhooks 1.0.0)', () => {
  it('give what the specification gives', () => {
    const key = signingKey('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw');
    const signature = signWebhook(
      [key],
      'msg_p5jXN8AQM9LWM0D4loKWxJek',
      1_614_265_330,
      Buffer.from('{"test": 2432232314}'),
    );
    expect(signature).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
  });

  it('are accepted by the reference library', () => {
    const now = Math.floor(Date.now() / 1000);
    fc.assert(
      fc.property(bytes, fc.json(), (secret, json) => {
        const text = formatSecret(secret);
        const signature = signWebhook([signingKey(text)], 'msg_1', now, Buffer.from(json));
        const headers = { 'webhook-id': 'msg_1', 'webhook-timestamp': String(now), 'webhook-signature': signature };
        expect(() => new Webhook(text).verify(json, headers)).not.toThrow();
      }),
    );
  });

  it('verify under any of several keys, and under no other', () => {
    fc.assert(
      fc.property(bytes, bytes, bytes, fc.uint8Array(), (one, two, other, body) => {
        fc.pre(Buffer.compare(one, other) !== 0 && Buffer.compare(two, other) !== 0);
        const keys = [one, two].map((key) => signingKey(formatSecret(key)));
        const signed = { id: 'i', timestamp: String(at), signature: signWebhook(keys, 'i', at, body), body };
        expect(verifyWebhook([one], signed, at).ok).toBe(true);
        expect(verifyWebhook([two], signed, at).ok).toBe(true);
        expect(verifyWebhook([other], signed, at)).toEqual({ ok: false, reason: 'no-match' });
        const changed = { ...signed, body: Buffer.concat([body, Buffer.from('x')]) };
        expect(verifyWebhook([one], changed, at)).toEqual({ ok: false, reason: 'no-match' });
      }),
    );
  });

  it('say what is wrong with a request', () => {
    const key = randomBytes(32);
    const body = Buffer.from('{}');
    const signature = signWebhook([signingKey(formatSecret(key))], 'i', at, body);
    const request = { id: 'i', timestamp: String(at), signature, body };
    const reasonOf = (change: object, now = at) => {
      const result = verifyWebhook([key], { ...request, ...change }, now);
      return result.ok ? 'ok' : result.reason;
    };
    expect(reasonOf({})).toBe('ok');
    expect(reasonOf({ id: undefined })).toBe('missing-header');
    expect(reasonOf({ timestamp: 'now' })).toBe('bad-timestamp');
    expect(reasonOf({}, at + 301)).toBe('too-old');
    expect(reasonOf({}, at - 301)).toBe('too-new');
    expect(reasonOf({}, at + 300)).toBe('ok');
    expect(reasonOf({ signature: `v2,${signature.slice(3)}` })).toBe('no-match');
    expect(reasonOf({ signature: `v1a,xyz ${signature}` })).toBe('ok');
  });

  it('keep secrets in their form', () => {
    fc.assert(
      fc.property(bytes, (secret) => {
        expect([...parseSecret(formatSecret(secret))]).toEqual([...secret]);
      }),
    );
    expect(() => formatSecret(randomBytes(23))).toThrow(RangeError);
    expect(() => parseSecret('whsec_not base64!')).toThrow(RangeError);
  });
});
