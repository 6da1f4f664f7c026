import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PostResult } from '../delivery/index.js';
import { handshakeRequest, handshakeVerdict, isAllowedOrigin, parseAllowedRate } from './handshake.js';

const origin = 'hooks.example.com';
const asked = { origin, rate: null, callback: null };
const answer = (headers: Record<string, string>, status = 200): PostResult => ({
  kind: 'response',
  status,
  headers,
  body: Buffer.alloc(0),
  truncated: false,
  durationMs: 1,
});
const consent = { 'webhook-allowed-origin': origin };
const reasonOf = (...given: Parameters<typeof handshakeVerdict>): string => {
  const verdict = handshakeVerdict(...given);
  return verdict.verified ? 'verified' : verdict.reason;
};

describe('the request', () => {
  it('names origin, rate and callback, the last two only where there are any', () => {
    expect(handshakeRequest(asked)).toEqual({ 'webhook-request-origin': origin });
    expect(handshakeRequest({ origin, rate: 120, callback: 'https://example.com/x' })).toEqual({
      'webhook-request-origin': origin,
      'webhook-request-rate': '120',
      'webhook-request-callback': 'https://example.com/x',
    });
  });
});

describe('the answer', () => {
  it('consents by its headers, whatever its status is', () => {
    fc.assert(
      fc.property(fc.integer({ min: 200, max: 599 }), fc.constantFrom(origin, '*'), (status, allowed) => {
        expect(handshakeVerdict(asked, answer({ 'webhook-allowed-origin': allowed }, status))).toEqual({
          verified: true,
          allowedRate: null,
        });
      }),
    );
  });

  it('does not consent without them, whatever its status is', () => {
    fc.assert(
      fc.property(fc.integer({ min: 200, max: 599 }), fc.constantFrom({}, { allow: 'POST' }), (status, headers) => {
        expect(reasonOf(asked, answer(headers, status))).toBe(status < 300 ? 'origin-missing' : 'status');
      }),
    );
  });

  it('must be for the origin that asked', () => {
    for (const other of ['example.com', 'x.hooks.example.com', `${origin}, other.example`, '**', 'null'])
      expect(reasonOf(asked, answer({ 'webhook-allowed-origin': other }))).toBe('origin-other');
    expect(reasonOf(asked, answer({ 'webhook-allowed-origin': ' ' }))).toBe('origin-missing');
  });

  it('names the rate that is allowed, and must if it was asked for one', () => {
    const withRate = { ...asked, rate: 600 };
    expect(reasonOf(withRate, answer(consent))).toBe('rate-missing');
    for (const given of [asked, withRate]) {
      expect(handshakeVerdict(given, answer({ ...consent, 'webhook-allowed-rate': '60' }))).toEqual({
        verified: true,
        allowedRate: 60,
      });
      expect(handshakeVerdict(given, answer({ ...consent, 'webhook-allowed-rate': '*' }))).toEqual({
        verified: true,
        allowedRate: null,
      });
      for (const wrong of ['', '0', '-1', '1.5', '1e3', 'many', '60, 60'])
        expect(reasonOf(given, answer({ ...consent, 'webhook-allowed-rate': wrong }))).toBe('rate-invalid');
    }
  });

  it('that did not come has the reason of what kept it', () => {
    for (const kind of ['guard', 'total-timeout', 'dns', 'tls'] as const)
      expect(reasonOf(asked, { kind: 'error', error: { kind, message: 'm' }, durationMs: 0 })).toBe(kind);
  });
});

it('compares origins as DNS names', () => {
  fc.assert(
    fc.property(fc.domain(), fc.domain(), (one, other) => {
      expect(isAllowedOrigin(one.toUpperCase(), one)).toBe(true);
      expect(isAllowedOrigin(`${one}.`, one)).toBe(true);
      expect(isAllowedOrigin(`x.${one}`, one)).toBe(false);
      expect(isAllowedOrigin(one, other)).toBe(one.toLowerCase() === other.toLowerCase());
    }),
  );
});

it('reads positive whole numbers as rates, and nothing else', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e12 }), (rate) => {
      expect(parseAllowedRate(` ${rate} `)).toBe(rate);
    }),
  );
  fc.assert(
    fc.property(fc.string(), (text) => {
      const rate = parseAllowedRate(text);
      expect(rate === undefined || rate === null || rate > 0).toBe(true);
      if (rate === null) expect(text.trim()).toBe('*');
    }),
  );
});
