import type { Delivery, TopicNames } from '#libs/contracts';
import type { OffsetTracker } from '#libs/core';
import type { LogReader } from '#libs/kafka';
import type { PlatformCodecs } from '#libs/schema-codec';
import { entryIdOf } from './batch-record.js';
import type { Clock } from './clock.js';
import type { EndpointShare, Entry, OwnedPartition } from './owned-partition.js';

/** What is wanted of a stream ahead of its time: what could be sent at once, or all there is, to be dropped. */
export type Ahead = 'nothing' | 'startable' | 'all';

export interface FarCopiesPorts {
  readonly reader: Pick<LogReader, 'range'>;
  readonly codecs: Pick<PlatformCodecs, 'delivery' | 'isFence' | 'prepare'>;
  readonly clock: Clock;
  readonly log: { warn(details: object, message: string): void };
  /** Whether there is room in memory, and the lease holds. */
  readonly mayLook: () => boolean;
  readonly ahead: (endpointId: string, stream: string) => Ahead;
  /** It could not be looked for when it was asked for. */
  readonly again: (share: EndpointShare) => void;
  found(entry: Entry, delivery: Delivery, recordBytes: number): void;
  /** What was found has been handed on. */
  done(): void;
}

/** Taken up by one look. */
const mostFound = 64;
/** Entries that are looked at for those. */
const mostLookedAt = 4_000;
/** Records that one look reads for them. */
const span = 1_000;
const againMs = 1_000;

/**
 * Finds what an endpoint's lane needs next where it stands: in a retry topic, further on than is read ahead. Its copy's
 * offset is known, so nothing has to wait for the turns of the topics but what is due later. This is what keeps a lane
 * going that has more outstanding than memory, and whose order lets only some of it go.
 */
export class FarCopies {
  readonly #topics: Pick<TopicNames, 'retry'>;
  readonly #ports: FarCopiesPorts;
  /** Asked for when it could not be done. */
  readonly #again = new Set<EndpointShare>();
  #disarm: () => void = () => undefined;
  #isClosed = false;

  constructor(topics: Pick<TopicNames, 'retry'>, ports: FarCopiesPorts) {
    this.#topics = topics;
    this.#ports = ports;
  }

  /** One look at a time for each endpoint; never rejects. */
  look(share: EndpointShare): void {
    const { clock, mayLook } = this.#ports;
    if (clock.monotonic() - share.lookedAt < againMs || !mayLook()) {
      this.#lookAgain(share);
      return;
    }
    const wanted = this.#wanted(share);
    if (wanted === null) {
      share.lookedAt = clock.monotonic();
      return;
    }
    share.lookedAt = Infinity;
    void this.#read(wanted).then(
      (found) => {
        share.lookedAt = found > 0 ? -Infinity : clock.monotonic();
        this.#ports.done();
      },
      (error: unknown) => {
        share.lookedAt = clock.monotonic();
        this.#lookAgain(share);
        this.#ports.log.warn(
          { endpointId: share.endpointId, err: error },
          'copies were not looked up; they come in time',
        );
      },
    );
  }

  close(): void {
    this.#isClosed = true;
    this.#disarm();
  }

  /** Who waits for nothing but this, as an endpoint that was paused, asks only once. */
  #lookAgain(share: EndpointShare): void {
    this.#again.add(share);
    if (this.#again.size > 1 || this.#isClosed) return;
    this.#disarm = this.#ports.clock.schedule(againMs, () => {
      const shares = [...this.#again];
      this.#again.clear();
      for (const one of shares) this.#ports.again(one);
    });
  }

  /** Those of the topic in which most of what may go now stands; null when there are none. */
  #wanted(share: EndpointShare): Wanted | null {
    const now = this.#ports.clock.now();
    const byTracker = new Map<OffsetTracker, Map<number, Entry>>();
    let [count, looked] = [0, 0];
    let partition: OwnedPartition | null = null;
    for (const [stream, window] of share.windows) {
      const ahead = this.#ports.ahead(share.endpointId, stream);
      if (ahead === 'nothing') continue;
      const moving = new Moving();
      for (const ordered of window.items()) {
        if (count === mostFound || looked === mostLookedAt) break;
        looked += 1;
        // Of a batch, its own copy is wanted, once.
        const entry = ordered.batch ?? ordered;
        const [copy] = entry.copies;
        const isHeldUp = entry.partition.halted.has(entry) || (entry.dueAt !== null && entry.dueAt > now);
        const isWanted = ahead === 'all' ? !isUnread(entry) : moving.follows(ordered, isHeldUp);
        if (!isWanted || entry.place !== 'away' || copy === undefined) continue;
        if (byTracker.get(copy.tracker)?.has(copy.offset) === true) continue;
        const offsets = byTracker.get(copy.tracker) ?? new Map<number, Entry>();
        byTracker.set(copy.tracker, offsets.set(copy.offset, entry));
        partition = entry.partition;
        count += 1;
      }
    }
    if (partition === null) return null;
    const [most] = [...byTracker].sort(([, a], [, b]) => b.size - a.size);
    const topic = this.#topics.retry[partition.retries.findIndex((tracker) => tracker === most?.[0])];
    if (most === undefined || topic === undefined) return null;
    return { partition, topic: topic.name, entries: most[1] };
  }

  async #read({ partition, topic, entries }: Wanted): Promise<number> {
    const offsets = [...entries.keys()].sort((a, b) => a - b);
    const from = offsets[0] ?? 0;
    const to = 1 + Math.max(...offsets.filter((offset) => offset < from + span));
    let found = 0;
    for await (const records of this.#ports.reader.range({ topic, partition: partition.number }, from, to)) {
      await this.#ports.codecs.prepare(records.map(({ value }) => value));
      for (const { offset, value } of records) {
        const entry = entries.get(offset);
        if (entry === undefined || value === null || this.#ports.codecs.isFence(value)) continue;
        if (!partition.alive || partition.stopped || entry.place !== 'away' || !this.#ports.mayLook()) continue;
        const delivery = this.#ports.codecs.delivery.decode(value);
        if (entryIdOf(delivery) !== entry.id || delivery.hop !== entry.hop) continue;
        this.#ports.found(entry, delivery, value.length);
        found += 1;
      }
    }
    return found;
  }
}

interface Wanted {
  readonly partition: OwnedPartition;
  readonly topic: string;
  /** By offset. */
  readonly entries: ReadonlyMap<number, Entry>;
}

/** It must not be sent, nor closed: its first copy would be taken for another one. */
const isUnread = ({ lastPos, partition }: Entry): boolean => lastPos >= partition.deliveries.next;

/** Which keys move: their lowest may go, or what it waits for moves. Asked in the order of `pos`. */
class Moving {
  readonly #keys = new Set<string | null>();
  readonly #stuck = new Set<string | null>();
  #all = false;
  #none = false;

  /** @param isHeldUp it waits for something else than its order */
  follows(entry: Entry, isHeldUp: boolean): boolean {
    const { orderingKey: key, ordering } = entry;
    const goes =
      !isHeldUp && !isUnread(entry) && !this.#none && (this.#isBehindMoving(entry) || entry.window.mayGo(entry));
    if (goes) {
      this.#keys.add(key);
      if (ordering === 'endpoint') this.#all = true;
    } else if (ordering !== 'none') {
      this.#stuck.add(key);
      if (ordering === 'endpoint') this.#none = true;
    }
    return goes;
  }

  #isBehindMoving({ orderingKey: key, ordering }: Entry): boolean {
    if (this.#stuck.has(key)) return false;
    return ordering === 'endpoint' ? this.#all : this.#keys.has(key);
  }
}
