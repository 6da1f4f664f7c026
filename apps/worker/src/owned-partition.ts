import { DeliveryLedger, type FenceLevels, type OffsetTracker, type WriterEpoch } from '#libs/core';
import { EntryOf, StreamWindow, type DelayedCopyOf, type Described, type EndpointShareOf } from './entry.js';
import type { Lane } from './lane.js';
import type { Without } from './rules.js';
import type { Seen, TakenOver } from './taken-over.js';

export type Entry = EntryOf<OwnedPartition>;
export type DelayedCopy = DelayedCopyOf<OwnedPartition>;
export type EndpointShare = EndpointShareOf<OwnedPartition>;

/** So late an append may still arrive whose sender has given it up and repeated it. */
const stragglerMs = 60_000;
const sampleMs = 5_000;

/**
 * Partition p of `deliveries` and of every retry topic, as this worker holds it: what was read, what is settled, which
 * deliveries are outstanding. It ends when the partition is lost: nothing of it may be appended or committed any more.
 */
export class OwnedPartition {
  readonly number: number;
  readonly writer: WriterEpoch;
  readonly deliveries: OffsetTracker;
  readonly retries: readonly OffsetTracker[];
  readonly fences: readonly FenceLevels[];
  readonly seen: Seen;
  readonly ledger = new DeliveryLedger<Entry>();
  readonly taken: TakenOver;
  /** Closed deliveries of which a copy may still stand in `deliveries`: until that was read past its end at take-over. */
  readonly closed = new Set<string>();
  /** POSTs of former owners that began and have no outcome, by delivery id, as long as `closed` is kept. */
  readonly started = new Map<string, number>();
  /** Offset of the own fence in the shortest retry topic, until something has settled: see Restore, poison. */
  heldFence: number | null = null;
  /** When it was taken over, Unix milliseconds. */
  heldSince = 0;
  /** Until then (monotonic ms) each POST of what was there at take-over is announced before it is made. */
  carefulUntil = -Infinity;
  /** Deliveries with their payload in memory, and its bytes. */
  records = 0;
  bytes = 0;
  /** Exhausted deliveries that are kept until someone decides. */
  readonly halted = new Set<Entry>();
  /** Its POST is announced (see `carefulUntil`), and what follows is not known yet. */
  announced: { readonly entry: Entry; readonly lane: Lane<Entry>; isPosted: boolean } | null = null;
  /** Highest `pos` of what was found in retry topics at take-over. */
  restoredTo = -1;
  /** How far each retry topic was read with payloads: nothing beyond may be deleted, though it be settled. */
  readonly readTo: number[];
  /** Whether it is still ours. */
  alive = true;
  /** It met something that it may neither process nor skip; it reads no further. */
  stopped = false;
  /** End of `deliveries`-p, as far as known. */
  end: number;
  readonly #shares = new Map<string, EndpointShare>();
  /** Offered before `deliveries` was read beyond their `pos`. */
  readonly #unread = new Set<Entry>();
  #attemptsEnd: number;
  /** What it was at which time (monotonic ms), the oldest that counts first. */
  readonly #ends: { readonly at: number; readonly end: number }[] = [];

  constructor(
    taken: TakenOver,
    readonly without: Without = new Set(),
  ) {
    this.taken = taken;
    this.number = taken.number;
    this.writer = taken.writer;
    this.deliveries = taken.deliveries;
    this.retries = taken.retries;
    this.fences = taken.fences;
    this.seen = taken.seen;
    this.end = taken.deliveriesEnd;
    this.readTo = [...taken.retryPositions];
    this.#attemptsEnd = taken.attemptsEnd;
  }

  /** End of `attempts`, as far as known: the stamp of what is read or appended now. */
  get attemptsEnd(): number {
    return this.#attemptsEnd;
  }

  /** An own Attempt stands at `offset`. */
  attemptAt(offset: number): void {
    if (offset >= this.#attemptsEnd) this.#attemptsEnd = offset + 1;
  }

  /**
   * What it was a minute ago, at least: `a` stays below it. An append that was repeated may still arrive by its first way,
   * and the next owner must then know that its delivery is closed.
   * @param now monotonic ms
   */
  attemptsEndBefore(now: number): number {
    const newest = this.#ends.at(-1);
    if (newest === undefined || now - newest.at >= sampleMs) this.#ends.push({ at: now, end: this.#attemptsEnd });
    while ((this.#ends[1]?.at ?? Infinity) <= now - stragglerMs) this.#ends.shift();
    const oldest = this.#ends[0];
    return oldest !== undefined && oldest.at <= now - stragglerMs ? oldest.end : this.taken.a;
  }

  /** The stamp of the record of `deliveries` at `offset`, which is read now. */
  stampOf(offset: number): number {
    const inherits = offset < this.taken.deliveriesEnd && !this.without.has('stamps');
    return inherits ? this.taken.a : this.#attemptsEnd;
  }

  /** Whether what was found in retry topics at take-over may be sent: `deliveries` has been read beyond it. */
  get isPastRestored(): boolean {
    return this.deliveries.next > this.restoredTo;
  }

  /** Whether all that was there at take-over has been read. */
  get isPastTakeOver(): boolean {
    return this.deliveries.next >= this.taken.deliveriesEnd;
  }

  /** A delivery becomes known. Its copies are the caller's to add. */
  enter(id: string, pos: number, described: Described): Entry {
    const { endpointId, stream } = described;
    let share = this.#shares.get(endpointId);
    if (share === undefined)
      this.#shares.set(
        endpointId,
        (share = {
          endpointId,
          outstanding: 0,
          halted: 0,
          here: 0,
          lookedAt: -Infinity,
          held: new Set(),
          windows: new Map(),
        }),
      );
    let window = share.windows.get(stream);
    if (window === undefined) share.windows.set(stream, (window = new StreamWindow(stream)));
    const entry: Entry = new EntryOf(this, share, window, id, pos, described);
    share.outstanding += 1;
    window.add(entry);
    this.ledger.enter(entry);
    this.halts(entry, described.haltedAt !== null);
    return entry;
  }

  /**
   * A batch becomes known. Order and bounds are of its members; lanes, POSTs and copies are its own. Its copies are the
   * caller's to add; until one of them is durable its members stand on their own.
   * @param members of one endpoint and stream, by ascending pos
   */
  enterBatch(id: string, members: readonly [Entry, ...Entry[]], described: Described): Entry {
    const [first] = members;
    const { share, window, pos } = first;
    const batch: Entry = new EntryOf(this, share, window, id, pos, described, new Set(members));
    for (const member of members) {
      member.batch = batch;
      batch.started = Math.max(batch.started, member.started);
    }
    this.ledger.enter(batch);
    this.halts(batch, described.haltedAt !== null);
    return batch;
  }

  /** A copy of a batch is durable: its members need theirs no more. */
  standsFor(batch: Entry): void {
    for (const member of batch.members ?? []) {
      for (const copy of member.early) this.ledger.settle(copy);
      member.early = [];
      member.letGo();
      member.place = 'batched';
      this.halts(member, false);
      this.ledger.advance(member, batch.hop, []);
    }
  }

  /** Whether it is halted, as its newest copy says. */
  halts(entry: Entry, halted: boolean): void {
    if (this.halted.has(entry) === halted) return;
    if (halted) this.halted.add(entry);
    else this.halted.delete(entry);
    entry.share.halted += halted ? 1 : -1;
  }

  /** Whether its POST is to be announced: it was there at take-over, and may have ended former owners. */
  isSuspect(entry: Entry, monotonic: number): boolean {
    return monotonic < this.carefulUntil && entry.pos < this.taken.deliveriesEnd;
  }

  shareOf(endpointId: string): EndpointShare | undefined {
    return this.#shares.get(endpointId);
  }

  shares(): Iterable<EndpointShare> {
    return this.#shares.values();
  }

  /** How many endpoints have more than `bound` outstanding. */
  endpointsOver(bound: number): number {
    let count = 0;
    for (const { outstanding } of this.#shares.values()) if (outstanding > bound) count += 1;
    return count;
  }

  /** Whether nothing that it is ordered to stands before it (DESIGN §3, Order). */
  mayGo(entry: Entry): boolean {
    if (this.deliveries.next <= entry.lastPos && !this.without.has('read-beyond-pos')) {
      this.#unread.add(entry);
      return false;
    }
    return isFree(entry);
  }

  /** `deliveries` was read further. @returns those that may go now and had been asked for before */
  readFurther(): readonly Entry[] {
    if (this.#unread.size === 0) return [];
    const free: Entry[] = [];
    for (const entry of this.#unread) {
      if (entry.lastPos >= this.deliveries.next) continue;
      this.#unread.delete(entry);
      if (isFree(entry)) free.push(entry);
    }
    return free.sort((a, b) => a.pos - b.pos);
  }

  /** It holds nothing up any more: answered with success, or closed. @returns those that may go now */
  leaveWindow(entry: Entry): readonly Entry[] {
    const { window, members, batch } = entry;
    const freed = members === null ? window.remove(entry) : [...members].flatMap((member) => window.remove(member));
    if (freed.length === 0) return freed;
    const going = new Set<Entry>();
    for (const one of freed) {
      if (one.batch === null) going.add(one);
      // One that travels in a batch goes when all of it may.
      else if (one.batch !== (batch ?? entry) && isFree(one.batch)) going.add(one.batch);
    }
    const all = [...going].sort((a, b) => a.pos - b.pos);
    return this.without.has('read-beyond-pos') ? all : all.filter((one) => one.lastPos < this.deliveries.next);
  }

  /** Its outcome is durable. @returns those that may go now */
  close(entry: Entry): readonly Entry[] {
    const { share, window, batch } = entry;
    this.#forget(entry);
    if (batch?.members?.delete(entry) === true) {
      if (batch.place === 'here') share.here -= 1;
      if (batch.weight === 0) this.#forget(batch);
    }
    share.outstanding -= 1;
    const freed = this.leaveWindow(entry);
    if (window.size === 0 && share.windows.get(window.stream) === window) share.windows.delete(window.stream);
    if (share.outstanding === 0) this.#shares.delete(share.endpointId);
    return freed;
  }

  #forget(entry: Entry): void {
    for (const copy of entry.early) this.ledger.settle(copy);
    this.ledger.close(entry);
    this.#unread.delete(entry);
    this.halts(entry, false);
    entry.letGo();
  }

  /** Everything that stood there at take-over is known by now. */
  forgetClosed(): void {
    this.closed.clear();
    this.started.clear();
  }
}

/** Whether nothing else that it is ordered to is outstanding: of a batch, to any of its members. */
function isFree(entry: Entry): boolean {
  const { window, members } = entry;
  if (members === null) return window.mayGo(entry);
  const company = window.company();
  for (const member of members) if (!company.joins(member)) return false;
  return true;
}
