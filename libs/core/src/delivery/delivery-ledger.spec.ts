import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DeliveryLedger, type LedgerEntry } from './delivery-ledger.js';
import { OffsetTracker } from './offset-tracker.js';

interface Delivery extends LedgerEntry {
  /** Model: offsets of its durable copies in the one topic, by hop; and how many of them were read. */
  readonly durable: { readonly offset: number; readonly hop: number }[];
  /** Appended, and the acknowledgement has not come. */
  unacknowledged: { readonly offset: number; readonly hop: number }[];
  early: { tracker: OffsetTracker; offset: number }[];
  closed: boolean;
}

const step = fc.record({
  what: fc.constantFrom('new', 'append', 'append-twice', 'acknowledge', 'read', 'read', 'close'),
  of: fc.nat(5),
});

describe('DeliveryLedger', () => {
  it('1. keeps the highest durable copy of what is open unsettled, and settles all else (model: every copy of each)', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const ledger = new DeliveryLedger<Delivery>();
        const tracker = new OffsetTracker(0);
        const log: { readonly of: Delivery; readonly hop: number }[] = [];
        const deliveries: Delivery[] = [];
        const append = (of: Delivery, hop: number) => ({ offset: log.push({ of, hop }) - 1, hop });
        const acknowledge = (of: Delivery): void => {
          const copy = of.unacknowledged.at(-1);
          if (copy === undefined) return;
          tracker.appended(copy.offset, 0);
          const early = of.early.filter(({ offset }) => offset !== copy.offset);
          of.early = [];
          of.durable.push(...of.unacknowledged);
          of.unacknowledged = [];
          ledger.advance(of, copy.hop, [...early, { tracker, offset: copy.offset }]);
        };
        for (const { what, of: nth } of steps) {
          const of = deliveries[nth % Math.max(1, deliveries.length)];
          if (what === 'new') {
            const made = { id: String(deliveries.length), hop: 0, copies: [], early: [], closed: false };
            const delivery: Delivery = { ...made, durable: [], unacknowledged: [] };
            deliveries.push(delivery);
            ledger.enter(delivery);
          } else if (of === undefined || (of.closed && what !== 'read')) continue;
          else if (what === 'append' && of.unacknowledged.length === 0) of.unacknowledged = [append(of, of.hop + 1)];
          else if (what === 'append-twice' && of.unacknowledged.length === 0) {
            // The first answer was lost, and the sender has repeated it: the offset that it tells is the second one's.
            of.unacknowledged = [append(of, of.hop + 1), append(of, of.hop + 1)];
          } else if (what === 'acknowledge') acknowledge(of);
          else if (what === 'close' && of.unacknowledged.length === 0) {
            of.closed = true;
            ledger.close(of);
          } else if (what === 'read') {
            const offset = tracker.next;
            const record = log[offset];
            if (record === undefined || !tracker.track(offset)) continue;
            const copy = { tracker, offset };
            const role = ledger.met(record.of.id, record.hop, copy);
            if (role === 'stranger') ledger.settle(copy);
            if (role === 'early') record.of.early.push(copy);
            expect(role === 'stranger').toBe(record.of.closed);
          }
          for (const delivery of deliveries) {
            const copies = [...delivery.durable, ...delivery.unacknowledged].filter(
              ({ offset }) => offset < tracker.next,
            );
            const open = copies.filter(({ offset }) => tracker.isOutstanding(offset));
            const due = copies.filter(({ hop }) => !delivery.closed && hop >= delivery.hop && delivery.hop > 0);
            expect(open.map(({ hop }) => hop).every((hop) => !delivery.closed && hop >= delivery.hop)).toBe(true);
            const highest = due.filter(({ hop }) => hop === Math.max(...due.map((one) => one.hop)));
            expect(highest.length === 0 || highest.some(({ offset }) => tracker.isOutstanding(offset))).toBe(true);
          }
        }
        expect(ledger.size).toBe(deliveries.filter(({ closed }) => !closed).length);
      }),
      { numRuns: 400 },
    );
  });

  it('lets a copy that is met again be one', () => {
    const ledger = new DeliveryLedger();
    const tracker = new OffsetTracker(0);
    const entry = { id: 'd', hop: 1, copies: [] };
    ledger.enter(entry);
    expect(ledger.met('d', 1, { tracker, offset: 4 })).toBe('joined');
    expect(ledger.met('d', 1, { tracker, offset: 4 })).toBe('joined');
    expect(entry.copies).toHaveLength(1);
    expect(ledger.met('d', 2, { tracker, offset: 5 })).toBe('early');
    expect(ledger.met('e', 0, { tracker, offset: 6 })).toBe('stranger');
  });
});
