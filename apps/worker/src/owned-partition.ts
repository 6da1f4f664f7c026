import type { Delivery } from '#libs/contracts';
import {
  DeliveryLedger,
  OrderingWindow,
  type Copy,
  type FenceLevels,
  type LedgerEntry,
  type OffsetTracker,
  type Ordered,
  type WriterEpoch,
} from '#libs/core';
import type { Lane } from './lane.js';
import type { Without } from './rules.js';
import type { Seen, TakenOver } from './taken-over.js';

/** A copy that waits for the time at which its topic gives it back. */
export interface DelayedCopy {
  readonly entry: Entry;
  readonly hop: number;
  /** Null once it was taken up, by its time or before it, or is no longer needed. */
  delivery: Delivery | null;
  readonly bytes: number;
  readonly takeUpAt: number;
  /** Where it is held. */
  readonly topic: { passed(held: DelayedCopy): void };
}

/** An endpoint's share of a partition: how much of it is outstanding, and its order, by stream. */
export interface EndpointShare {
  readonly endpointId: string;
  outstanding: number;
  /** Of them, exhausted and kept until someone decides. */
  halted: number;
  /** Of them, those that are `here`. */
  here: number;
  /** When it was last looked for copies in the log without finding any (monotonic ms), or Infinity while one is looking. */
  lookedAt: number;
  /** Of them, those that were read ahead of their time. */
  readonly held: Set<Entry>;
  readonly windows: Map<string, StreamWindow>;
}

/** What is outstanding of one endpoint and stream. */
export class StreamWindow extends OrderingWindow<Entry> {
  constructor(readonly stream: string) {
    super();
  }
}

/** What is known of a delivery without its payload. */
export type Described = Pick<
  Delivery,
  'endpointId' | 'stream' | 'ordering' | 'orderingKey' | 'hop' | 'configVersion' | 'haltedAt' | 'dueAt'
>;

/**
 * An outstanding delivery:
 * - `away`: it stands in a retry topic, and nothing of it but this is in memory
 * - `held`: its copy was read ahead of its time (see DelayTopic)
 * - `here`: in a lane, in flight, waiting for an acknowledgement or for a timer
 */
export class Entry implements LedgerEntry, Ordered {
  hop: number;
  copies: Copy[] = [];
  /** The highest hop that was appended, acknowledged or not. */
  issued = 0;
  /** When its copy was read or appended, while it is `here` (monotonic ms). */
  since = 0;
  /** Copies of further hops that were read before the acknowledgement of their append. */
  early: (Copy & { readonly hop: number })[] = [];
  place: 'away' | 'held' | 'here' = 'away';
  readonly ordering: Delivery['ordering'];
  readonly orderingKey: string | null;
  /** Of the payload, estimated; 0 while it is not here. */
  bytes = 0;
  lane: Lane<Entry> | null = null;
  /** Read ahead of its time. */
  #held: DelayedCopy | null = null;
  /** Not to be sent before, Unix ms; null: at once. */
  dueAt: number | null;
  /** POSTs of former owners that began and have no outcome (see Restore). */
  started = 0;
  #delivery: Delivery | null = null;

  constructor(
    readonly partition: OwnedPartition,
    readonly share: EndpointShare,
    readonly window: StreamWindow,
    readonly id: string,
    /** Offset in `deliveries`. */
    readonly pos: number,
    described: Described,
  ) {
    this.hop = described.hop;
    this.ordering = described.ordering;
    this.orderingKey = described.orderingKey;
    this.dueAt = described.dueAt;
  }

  get endpointId(): string {
    return this.share.endpointId;
  }

  get stream(): string {
    return this.window.stream;
  }

  /** Only while it is here. */
  get delivery(): Delivery {
    if (this.#delivery === null) throw new Error(`${this.id} is not here`);
    return this.#delivery;
  }

  /** Its payload is in memory now, or another state of it. */
  load(delivery: Delivery): void {
    this.#delivery = delivery;
    this.dueAt = delivery.dueAt;
    this.partition.halts(this, delivery.haltedAt !== null);
  }

  get held(): DelayedCopy | null {
    return this.#held;
  }

  /** Its copy was read ahead of its time. */
  hold(held: DelayedCopy): void {
    this.letGo();
    this.#held = held;
    this.share.held.add(this);
  }

  /** The copy that was read ahead is not needed any more. */
  letGo(): void {
    const held = this.#held;
    if (held === null) return;
    this.#held = null;
    this.share.held.delete(this);
    held.delivery = null;
    held.topic.passed(held);
  }

  unload(): void {
    this.#delivery = null;
  }
}

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
    const entry = new Entry(this, share, window, id, pos, described);
    share.outstanding += 1;
    window.add(entry);
    this.ledger.enter(entry);
    this.halts(entry, described.haltedAt !== null);
    return entry;
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
    if (this.deliveries.next <= entry.pos && !this.without.has('read-beyond-pos')) {
      this.#unread.add(entry);
      return false;
    }
    return entry.window.mayGo(entry);
  }

  /** `deliveries` was read further. @returns those that may go now and had been asked for before */
  readFurther(): readonly Entry[] {
    if (this.#unread.size === 0) return [];
    const free: Entry[] = [];
    for (const entry of this.#unread) {
      if (entry.pos >= this.deliveries.next) continue;
      this.#unread.delete(entry);
      if (entry.window.mayGo(entry)) free.push(entry);
    }
    return free.sort((a, b) => a.pos - b.pos);
  }

  /** It holds nothing up any more: answered with success, or closed. @returns those that may go now */
  leaveWindow(entry: Entry): readonly Entry[] {
    const freed = entry.window.remove(entry);
    return this.without.has('read-beyond-pos') ? freed : freed.filter(({ pos }) => pos < this.deliveries.next);
  }

  /** Its outcome is durable. @returns those that may go now */
  close(entry: Entry): readonly Entry[] {
    for (const copy of entry.early) this.ledger.settle(copy);
    this.ledger.close(entry);
    this.#unread.delete(entry);
    this.halts(entry, false);
    const { share } = entry;
    share.outstanding -= 1;
    const freed = this.leaveWindow(entry);
    const { window } = entry;
    if (window.size === 0 && share.windows.get(window.stream) === window) share.windows.delete(window.stream);
    if (share.outstanding === 0) this.#shares.delete(share.endpointId);
    return freed;
  }

  /** Everything that stood there at take-over is known by now. */
  forgetClosed(): void {
    this.closed.clear();
    this.started.clear();
  }
}
