import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deliveryIdOf, webhookIdOf } from './delivery-id.js';

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
});
