import type { Delivery } from '#libs/contracts';
import { OrderingWindow, type Copy, type LedgerEntry, type Ordered } from '#libs/core';
import type { Lane } from './lane.js';

/** The partition that an entry belongs to, as far as the entry tells it. */
interface Home<P extends Home<P>> {
  halts(entry: EntryOf<P>, halted: boolean): void;
}

/** A copy that waits for the time at which its topic gives it back. */
export interface DelayedCopyOf<P extends Home<P>> {
  readonly entry: EntryOf<P>;
  readonly hop: number;
  /** Null once it was taken up, by its time or before it, or is no longer needed. */
  delivery: Delivery | null;
  readonly bytes: number;
  readonly takeUpAt: number;
  /** Where it is held. */
  readonly topic: { passed(held: DelayedCopyOf<P>): void };
}

/** An endpoint's share of a partition: how much of it is outstanding, and its order, by stream. */
export interface EndpointShareOf<P extends Home<P>> {
  readonly endpointId: string;
  outstanding: number;
  /** Of them, exhausted and kept until someone decides. */
  halted: number;
  /** Of them, those that are `here`. */
  here: number;
  /** When it was last looked for copies in the log without finding any (monotonic ms), or Infinity while one is looking. */
  lookedAt: number;
  /** Of them, those that were read ahead of their time. */
  readonly held: Set<EntryOf<P>>;
  readonly windows: Map<string, StreamWindow<P>>;
}

/** What is outstanding of one endpoint and stream. */
export class StreamWindow<P extends Home<P>> extends OrderingWindow<EntryOf<P>> {
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
 * - `batched`: its batch stands for it, which has a copy and a place of its own
 */
export class EntryOf<P extends Home<P>> implements LedgerEntry, Ordered {
  hop: number;
  copies: Copy[] = [];
  /** The highest hop that was appended, acknowledged or not. */
  issued = 0;
  /** When its copy was read or appended, while it is `here` (monotonic ms). */
  since = 0;
  /** Copies of further hops that were read before the acknowledgement of their append. */
  early: (Copy & { readonly hop: number })[] = [];
  place: 'away' | 'held' | 'here' | 'batched' = 'away';
  /** What it travels in, from the time that its members were chosen. */
  batch: EntryOf<P> | null = null;
  /** `deliveries` must have been read beyond this before it is sent, or closed: its `pos`, or the highest of its members. */
  readonly lastPos: number;
  readonly ordering: Delivery['ordering'];
  readonly orderingKey: string | null;
  /** Of the payload, estimated; 0 while it is not here. */
  bytes = 0;
  /** … and of its record. */
  recordBytes = 0;
  lane: Lane<EntryOf<P>> | null = null;
  /** Read ahead of its time. */
  #held: DelayedCopyOf<P> | null = null;
  /** Not to be sent before, Unix ms; null: at once. */
  dueAt: number | null;
  /** POSTs of former owners that began and have no outcome (see Restore). */
  started = 0;
  #delivery: Delivery | null = null;

  constructor(
    readonly partition: P,
    readonly share: EndpointShareOf<P>,
    readonly window: StreamWindow<P>,
    readonly id: string,
    /** Offset in `deliveries`. */
    readonly pos: number,
    described: Described,
    /** Of a batch: the deliveries in it that have no outcome yet, by ascending pos. Null: it is one delivery. */
    readonly members: Set<EntryOf<P>> | null = null,
  ) {
    let lastPos = pos;
    for (const member of members ?? []) lastPos = member.pos;
    this.lastPos = lastPos;
    this.hop = described.hop;
    this.ordering = described.ordering;
    this.orderingKey = described.orderingKey;
    this.dueAt = described.dueAt;
  }

  /** Deliveries that it stands for. */
  get weight(): number {
    return this.members?.size ?? 1;
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

  get held(): DelayedCopyOf<P> | null {
    return this.#held;
  }

  /** Its copy was read ahead of its time. */
  hold(held: DelayedCopyOf<P>): void {
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
