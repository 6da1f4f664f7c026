import { createPublicKey, randomBytes, verify } from 'node:crypto';
import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { formatPrivateKey, formatSecret, parsePublicKey, publicJwk, publicKeyOf, signingKey } from './webhook-keys.js';
import { signWebhook, verifyWebhook } from './webhook-signature.js';

const bytes = fc.uint8Array({ minLength: 24, maxLength: 64 });
const seed = fc.uint8Array({ minLength: 32, maxLength: 32 });
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

  it('of a key pair are v1a, verified by node:crypto alone with the published key', () => {
    const head = Buffer.from(`i.${at}.`);
    fc.assert(
      fc.property(seed, fc.uint8Array(), (one, body) => {
        const secret = formatPrivateKey(one);
        const [version, signature = ''] = signWebhook([signingKey(secret)], 'i', at, body).split(',');
        const key = createPublicKey({ key: publicJwk(publicKeyOf(secret)), format: 'jwk' });
        expect(version).toBe('v1a');
        expect(verify(null, Buffer.concat([head, body]), key, Buffer.from(signature, 'base64'))).toBe(true);
        expect(verify(null, Buffer.concat([head, body, head]), key, Buffer.from(signature, 'base64'))).toBe(false);
      }),
    );
  });

  it('of both kinds stand side by side; a receiver needs the key of one', () => {
    fc.assert(
      fc.property(bytes, seed, seed, fc.uint8Array(), (shared, one, other, body) => {
        fc.pre(Buffer.compare(one, other) !== 0);
        const keys = [signingKey(formatSecret(shared)), signingKey(formatPrivateKey(one))];
        const signed = { id: 'i', timestamp: String(at), signature: signWebhook(keys, 'i', at, body), body };
        const isVerifiedBy = (...known: Parameters<typeof verifyWebhook>[0]) => verifyWebhook(known, signed, at).ok;
        const published = (key: Uint8Array) => parsePublicKey(publicKeyOf(formatPrivateKey(key)));
        expect(signed.signature).toMatch(/^v1,\S+ v1a,\S+$/);
        expect(isVerifiedBy(shared)).toBe(true);
        expect(isVerifiedBy(published(one))).toBe(true);
        expect(isVerifiedBy(published(other), published(one))).toBe(true);
        expect(isVerifiedBy(published(other))).toBe(false);
        const changed = { ...signed, body: Buffer.concat([body, Buffer.from('x')]) };
        expect(verifyWebhook([published(one)], changed, at)).toEqual({ ok: false, reason: 'no-match' });
      }),
    );
  });

  it('of the two kinds are verified by the reference library too, which skips v1a', () => {
    const now = Math.floor(Date.now() / 1000);
    const secret = formatSecret(randomBytes(32));
    const keys = [signingKey(formatPrivateKey(randomBytes(32))), signingKey(secret)];
    const signature = signWebhook(keys, 'msg_1', now, Buffer.from('{}'));
    const headers = { 'webhook-id': 'msg_1', 'webhook-timestamp': String(now), 'webhook-signature': signature };
    expect(() => new Webhook(secret).verify('{}', headers)).not.toThrow();
  });

  it('are never taken for those of the other kind', () => {
    const body = Buffer.from('{}');
    const [shared, pair] = [randomBytes(32), formatPrivateKey(randomBytes(32))];
    const keys = [signingKey(formatSecret(shared)), signingKey(pair)];
    const [v1 = '', v1a = ''] = signWebhook(keys, 'i', at, body).split(' ');
    const swapped = `${v1.replace('v1,', 'v1a,')} ${v1a.replace('v1a,', 'v1,')} v1a, v1a,AAAA v1,`;
    const request = { id: 'i', timestamp: String(at), signature: swapped, body };
    const all = [shared, parsePublicKey(publicKeyOf(pair))];
    expect(verifyWebhook(all, request, at)).toEqual({ ok: false, reason: 'no-match' });
  });
});
