import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { batchIdOf, deliveryIdOf, parseDeliveryId, webhookIdOf } from './delivery-id.js';

describe('delivery ids', () => {
  it('differ in every part', () => {
    const source = { endpointId: 'ep', stream: 'live', incarnation: 0, sourcePartition: 1, sourceOffset: 23 };
    expect(deliveryIdOf(source)).toBe('ep.live.0.1.23');
    const others = [
      { endpointId: 'eq' },
      { stream: 'r1' },
      { incarnation: 1 },
      { sourcePartition: 12, sourceOffset: 3 },
    ];
    const ids = others.map((change) => deliveryIdOf({ ...source, ...change }));
    expect(new Set([deliveryIdOf(source), ...ids]).size).toBe(5);
  });

  it('tell where they come from, and nothing else does', () => {
    const part = fc.stringMatching(/^[a-z0-9_:-]{1,20}$/);
    const number = fc.nat(999_999_999);
    const source = fc.record({
      endpointId: part,
      stream: part,
      incarnation: number,
      sourcePartition: number,
      sourceOffset: fc.maxSafeNat(),
    });
    fc.assert(
      fc.property(source, (one) => {
        expect(parseDeliveryId(deliveryIdOf(one))).toEqual(one);
      }),
    );
    for (const text of ['', 'ep.live.0.1', 'ep.live.0.1.x', 'ep.live.0.01.2', 'a.b.live.0.1.2', 'ep.live.0.1.2\n']) {
      expect(parseDeliveryId(text)).toBeNull();
    }
  });

  it('webhook ids are the same for the same event and endpoint, and hold no dot', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), fc.string(), (endpoint, source, id, other) => {
        const webhookId = webhookIdOf(endpoint, source, id);
        expect(webhookId).toMatch(/^msg_[A-Za-z0-9_-]{22}$/);
        expect(webhookIdOf(endpoint, source, id)).toBe(webhookId);
        if (other !== id) expect(webhookIdOf(endpoint, source, other)).not.toBe(webhookId);
      }),
    );
  });

  it('ids of batches tell their events and the order of them', () => {
    const ids = ['a', 'b', 'c'].map((id) => webhookIdOf('ep', '/s', id));
    expect(batchIdOf(ids)).toMatch(/^msg_[A-Za-z0-9_-]{22}$/);
    expect(batchIdOf([...ids])).toBe(batchIdOf(ids));
    const others = [ids.toReversed(), ids.slice(1), ids.slice(0, 1), ['d', ...ids]].map(batchIdOf);
    expect(new Set([...others, ...ids, batchIdOf(ids)]).size).toBe(8);
  });
});
