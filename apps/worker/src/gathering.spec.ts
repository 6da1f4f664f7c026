import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BatchConfig } from '#libs/contracts';
import { gatheredAt, merged } from './gathering.js';

const bounds = { maxRecords: 50, maxBytes: 20_000 };

const item = fc.record({
  since: fc.nat(1_000),
  body: fc.integer({ min: 2, max: 2_000 }),
  attempt: fc.constantFrom(0, 0, 0, 1),
  stream: fc.constant('live'),
});
const config = fc.record({
  maxEvents: fc.integer({ min: 1, max: 60 }),
  maxBytes: fc.integer({ min: 100, max: 30_000 }),
  maxWaitMs: fc.nat(1_500),
});

describe('what is gathered', () => {
  it('goes when it is enough, or has waited for long enough, and not before (model: the sums)', () => {
    fc.assert(
      fc.property(
        fc.array(item, { minLength: 1, maxLength: 60 }),
        config,
        fc.nat(2_000),
        (all, batch: BatchConfig, now) => {
          const items = all.map(({ since, body, attempt }, pos) => {
            const delivery = {
              attempt,
              members: null,
              haltedAt: null,
              renderError: null,
              headers: {},
              contentType: 'application/json',
              body: Buffer.alloc(body),
            };
            return { pos, since, delivery };
          });
          const [head] = items;
          const bytes = all.reduce((sum, { body }) => sum + body + 700, 0);
          const body = all.reduce((sum, one) => sum + one.body, 0);
          const at = gatheredAt('live', head!, () => ({ records: items.length, bytes, items }), batch, bounds, now);
          const isEnough =
            items.length >= batch.maxEvents || body >= batch.maxBytes || items.length >= 50 || bytes >= bounds.maxBytes;
          const waitsUntil = head!.since + batch.maxWaitMs;
          const isAlone = head!.delivery.attempt > 0;
          expect(at).toBe(isAlone || isEnough || waitsUntil <= now ? now : waitsUntil);
        },
      ),
    );
  });

  it('does not look at what waits for one that has waited, or goes alone', () => {
    const never = (): never => {
      throw new Error('it was asked for');
    };
    const single = {
      attempt: 0,
      members: null,
      haltedAt: null,
      renderError: null,
      headers: {},
      contentType: 'application/json',
      body: Buffer.of(1),
    };
    const batch = { maxEvents: 10, maxBytes: 10_000, maxWaitMs: 100 };
    const at = (stream: string, since: number, changes = {}) =>
      gatheredAt(stream, { pos: 0, since, delivery: { ...single, ...changes } }, never, batch, bounds, 1_000);
    expect(at('live', 900)).toBe(1_000);
    expect(at('test:1', 1_000)).toBe(1_000);
    for (const changes of [{ body: null }, { haltedAt: 1 }, { contentType: 'text/plain' }, { members: [] }])
      expect(at('live', 1_000, changes)).toBe(1_000);
  });

  it('is what is ready and what is blocked, by pos', () => {
    const positions = fc.uniqueArray(fc.nat(100)).map((all) => all.sort((a, b) => a - b));
    fc.assert(
      fc.property(positions, fc.func(fc.boolean()), (all, isReady) => {
        const items = all.map((pos) => ({ pos }));
        const split = (ready: boolean) => items.filter(({ pos }) => isReady(pos) === ready);
        expect([...merged(split(true), split(false))]).toEqual(items);
      }),
    );
  });
});
