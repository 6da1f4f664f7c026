import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SeenPositions, type SeenRecord } from './seen-positions.js';

const space = { stream: 'live', incarnation: 0, sourcePartition: 3, space: '' };
const window = 6;

interface Sender {
  position: number;
  floor: number;
  /** Which endpoints its configuration knows. */
  readonly endpoints: readonly string[];
  /** Handed over, and not landed yet. */
  inFlight: SeenRecord[][];
}

const step = fc.record({
  what: fc.constantFrom('send', 'send', 'land', 'land', 'commit', 'take-over', 'hand-over', 'learn'),
  by: fc.nat(20),
});

/** Dispatchers that send, crash and come back late, over one partition of `deliveries`; and owners that restore. */
class Model {
  readonly log: SeenRecord[] = [];
  readonly senders: Sender[] = [];
  readonly accepted = new Map<string, number>();
  readonly acceptedAt = new Map<string, number>();
  /** What was committed as dispatched: each must be accepted once. */
  readonly due = new Set<string>();
  commit = 0;
  seen = new SeenPositions();
  read = 0;
  restorePoint = { b: 0, floors: [] as ReturnType<SeenPositions['restorePoint']>['floors'], committed: 0 };

  get owner(): Sender {
    return this.senders.at(-1) as Sender;
  }

  takeOver(by: number): void {
    const endpoints = by % 2 === 0 ? ['ep_1', 'ep_2'] : ['ep_1'];
    this.senders.push({ position: this.commit, floor: this.commit, endpoints, inFlight: [] });
  }

  send(sender: Sender, count: number): void {
    const records: SeenRecord[] = [];
    for (let i = 0; i < count && sender.position < sender.floor + window; i += 1) {
      const { floor, position: sourceOffset } = sender;
      for (const endpointId of sender.endpoints) records.push({ ...space, endpointId, sourceOffset, floor });
      sender.position += 1;
    }
    if (records.length > 0) sender.inFlight.push(records);
  }

  land(sender: Sender): void {
    this.log.push(...(sender.inFlight.shift() ?? []));
  }

  commitNow(): void {
    const { owner } = this;
    while (owner.inFlight.length > 0) this.land(owner);
    for (let offset = this.commit; offset < owner.position; offset += 1)
      for (const endpointId of owner.endpoints) this.due.add(`${endpointId} ${offset}`);
    this.commit = owner.position;
    owner.floor = this.commit;
  }

  readAll(): void {
    for (; this.read < this.log.length; this.read += 1) {
      const record = this.log[this.read] as SeenRecord;
      if (this.seen.isRepeat(record, this.read)) continue;
      const id = `${record.endpointId} ${record.sourceOffset}`;
      this.accepted.set(id, (this.accepted.get(id) ?? 0) + 1);
      this.acceptedAt.set(id, this.read);
    }
  }

  /** All below is settled; what was read beyond may not be. */
  commitBelow(by: number): void {
    const committed = Math.max(this.restorePoint.committed, this.read - by);
    this.restorePoint = { ...this.seen.restorePoint(committed), committed };
  }

  handOver(): void {
    const { b, floors, committed } = this.restorePoint;
    this.seen = new SeenPositions(floors);
    for (let pos = b; pos < committed; pos += 1) this.seen.isRepeat(this.log[pos] as SeenRecord, pos);
    // What was read and not settled is read again.
    for (let pos = committed; pos < this.read; pos += 1) {
      const { endpointId, sourceOffset } = this.log[pos] as SeenRecord;
      if (this.acceptedAt.get(`${endpointId} ${sourceOffset}`) === pos)
        this.accepted.delete(`${endpointId} ${sourceOffset}`);
    }
    this.read = committed;
  }

  learn(): void {
    const { incarnation, sourcePartition } = space;
    this.seen.learn({ incarnation, sourcePartition, floor: this.commit }, this.log.length);
  }
}

describe('SeenPositions', () => {
  it('3. takes each delivery once, whatever dispatchers crash, repeat or come late, over hand-overs (model: the log)', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
        const model = new Model();
        model.takeOver(0);
        for (const { what, by } of steps) {
          const any = model.senders[by % model.senders.length] as Sender;
          if (what === 'send') model.send(model.owner, 1 + (by % 4));
          else if (what === 'land') model.land(any);
          else if (what === 'commit') model.commitNow();
          else if (what === 'take-over') model.takeOver(by);
          else if (what === 'learn') model.learn();
          else model.handOver();
          model.readAll();
          if (by % 3 > 0) model.commitBelow(by);
          // Each of two senders can be ahead of its own floor.
          expect(model.seen.size).toBeLessThanOrEqual(2 * 2 * window);
        }
        for (const sender of model.senders) while (sender.inFlight.length > 0) model.land(sender);
        model.readAll();
        for (const id of model.due) expect([id, model.accepted.get(id)]).toEqual([id, 1]);
        for (const [id, times] of model.accepted) expect([id, times]).toEqual([id, 1]);
      }),
      { numRuns: 1_000 },
    );
  });

  it('frees an idle space by the floor that was learnt, once all below the end is settled', () => {
    const seen = new SeenPositions();
    const record = (sourceOffset: number, floor = 0): SeenRecord => ({
      ...space,
      endpointId: 'ep',
      sourceOffset,
      floor,
    });
    for (const pos of [0, 1, 2]) seen.isRepeat(record(pos + 10), pos);
    expect([...seen.liveSpaces()]).toEqual([{ incarnation: 0, sourcePartition: 3, pos: 0 }]);
    seen.learn({ incarnation: 0, sourcePartition: 3, floor: 13 }, 3);
    expect(seen.restorePoint(2)).toEqual({ b: 0, floors: [] });
    const { b, floors } = seen.restorePoint(3);
    expect({ b, floors }).toEqual({ b: 3, floors: [{ incarnation: 0, sourcePartition: 3, floor: 13 }] });
    const successor = new SeenPositions(floors);
    expect(successor.isRepeat(record(12), 3)).toBe(true);
    expect(successor.isRepeat(record(13), 4)).toBe(false);
    // A record that carries as high a floor makes the learnt one needless.
    expect(successor.restorePoint(5).floors).toHaveLength(1);
    successor.isRepeat(record(14, 13), 5);
    expect(successor.restorePoint(6)).toEqual({ b: 4, floors: [] });
  });

  it('keeps b where it is when no more floors fit', () => {
    const seen = new SeenPositions();
    for (const sourcePartition of [0, 1]) {
      const record = { ...space, sourcePartition, endpointId: 'ep', sourceOffset: 5, floor: 0 };
      seen.isRepeat(record, sourcePartition);
      seen.learn({ incarnation: 0, sourcePartition, floor: 6 }, 2);
    }
    expect(seen.restorePoint(2, 1)).toEqual({ b: 1, floors: [{ incarnation: 0, sourcePartition: 0, floor: 6 }] });
    expect(seen.restorePoint(2, 2).b).toBe(2);
  });

  it('takes what follows the end of a catch-up for a repeat, for an hour of the log', () => {
    const seen = new SeenPositions();
    const run = { ...space, space: 'run-1', endpointId: 'ep' };
    const hour = 3_600_000;
    const record = (sourceOffset: number): SeenRecord => ({ ...run, sourceOffset, floor: 0 });
    expect([seen.isRepeat(record(1), 0), seen.isRepeat({ ...record(1), endpointId: 'other' }, 1)]).toEqual([
      false,
      false,
    ]);
    expect(seen.isRepeat({ ...record(1), space: '' }, 2)).toBe(false);
    seen.end(run, 3, 1_000);
    expect([seen.isRepeat(record(2), 4), seen.isRepeat({ ...record(2), space: 'run-2' }, 5)]).toEqual([true, false]);
    seen.readAt(1_000 + hour - 1);
    const others = seen.restorePoint(6).b;
    expect(others).toBe(1);
    const successor = new SeenPositions();
    successor.end(run, 3, 1_000);
    expect(successor.restorePoint(6).b).toBe(3);
    expect(successor.isRepeat(record(2), 4)).toBe(true);
    successor.readAt(1_000 + hour);
    expect([successor.restorePoint(3).b, successor.restorePoint(6).b]).toEqual([3, 6]);
  });

  it('needs the ids of a catch-up until its end is committed', () => {
    const run = { ...space, space: 'run-1', endpointId: 'ep', sourceOffset: 1, floor: 0 };
    const seen = new SeenPositions();
    expect([seen.isRepeat(run, 10), seen.isRepeat(run, 30)]).toEqual([false, true]);
    seen.end(run, 40, 1_000);
    const { b } = seen.restorePoint(25);
    const successor = new SeenPositions();
    if (b <= 10) successor.isRepeat(run, 10);
    expect(successor.isRepeat(run, 30)).toBe(true);
  });

  it('frees each space of a replay with the end of its own source partition, also one of which nothing came', () => {
    const hour = 3_600_000;
    const stream = 'replay:1';
    const seen = new SeenPositions();
    const of = (sourcePartition: number) => ({ ...space, stream, sourcePartition });
    const record = (sourcePartition: number, sourceOffset: number) => ({
      ...of(sourcePartition),
      endpointId: `ep_${sourceOffset}`,
      sourceOffset,
      floor: 0,
    });
    for (const [pos, sourcePartition] of [0, 1, 0, 1].entries()) seen.isRepeat(record(sourcePartition, pos), pos);
    expect(seen.size).toBe(4);
    for (const [nth, sourcePartition] of [1, 2].entries())
      seen.end({ ...of(sourcePartition), endpointId: '' }, 4 + nth, 1);
    // The other source partition goes on.
    expect([seen.isRepeat(record(0, 9), 6), seen.isRepeat(record(1, 9), 7), seen.isRepeat(record(2, 9), 8)]).toEqual([
      false,
      true,
      true,
    ]);
    expect(seen.size).toBe(3);
    seen.end({ ...of(0), endpointId: '' }, 9, 2);
    expect([seen.isRepeat(record(0, 10), 10), seen.size]).toEqual([true, 0]);
    expect(seen.restorePoint(11).b).toBe(4);
    seen.readAt(hour + 2);
    expect(seen.restorePoint(11).b).toBe(11);
    // Nothing is remembered of it.
    expect(seen.isRepeat(record(0, 10), 12)).toBe(false);
  });

  it('frees what came of an incarnation that was left', () => {
    const seen = new SeenPositions();
    const record = { ...space, endpointId: 'ep', sourceOffset: 1, floor: 0 };
    seen.isRepeat(record, 10);
    seen.isRepeat({ ...record, incarnation: 1 }, 11);
    seen.learn({ incarnation: 1, sourcePartition: 3, floor: 100 }, 12);
    expect(seen.restorePoint(1_000).b).toBe(1_000);
  });

  it('tells no repeats among test sends', () => {
    const seen = new SeenPositions();
    const record = { ...space, stream: 'test:1', endpointId: 'ep', sourceOffset: 0, floor: 0 };
    expect([seen.isRepeat(record, 0), seen.isRepeat(record, 1)]).toEqual([false, false]);
    expect(seen.restorePoint(2).b).toBe(2);
  });
});
