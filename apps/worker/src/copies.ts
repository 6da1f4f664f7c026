import type { Delivery, TopicNames } from '#libs/contracts';
import { topicFor } from '#libs/core';
import type { OutgoingRecord } from '#libs/kafka';
import type { PlatformCodecs } from '#libs/schema-codec';
import type { Appender } from './appender.js';
import type { Entry } from './owned-partition.js';
import { membersNow } from './subjects.js';

export interface CopiesPorts {
  readonly appender: Appender;
  readonly codecs: Pick<PlatformCodecs, 'delivery'>;
  /** Its next copy is durable. It leaves the memory, or waits there until `dueAt`. */
  moved(entry: Entry, dueAt: number | null): void;
  /** A copy of it is durable, in the place of those before. */
  secured(entry: Entry): void;
}

/** What its next copy changes of a delivery. */
export type Changes = Pick<Delivery, 'attempt' | 'dueAt'> & { readonly haltedAt?: number };

/** An endpoint that is paused or disabled, and a halted delivery, are looked at again after this long. */
export const waitingDelayMs = 300_000;

/** Copies of deliveries and batches in retry topics: each stands for its entry once it is acknowledged (DESIGN §3, Commit). */
export class Copies {
  readonly #topics: Pick<TopicNames, 'retry'>;
  readonly #ports: CopiesPorts;
  readonly #delaysMs: readonly number[];

  constructor(topics: Pick<TopicNames, 'retry'>, ports: CopiesPorts) {
    this.#topics = topics;
    this.#ports = ports;
    this.#delaysMs = topics.retry.map((topic) => topic.delayMs);
  }

  /** Its lane is full: back after `delayMs`, or the shortest delay that there is. */
  spill(entry: Entry, delayMs: number): void {
    this.#hop(entry, topicFor(this.#delaysMs, delayMs), null);
  }

  /** Its endpoint is not to be sent to for now, or it is halted. No attempt is burnt. */
  putOff(entry: Entry): void {
    this.#hop(entry, topicFor(this.#delaysMs, waitingDelayMs), entry.delivery.dueAt);
  }

  /** It is due at `dueAt`, later than the memory should hold it. */
  hop(entry: Entry, topic: number): void {
    this.#hop(entry, topic, entry.delivery.dueAt);
  }

  /**
   * It waits in its lane for long: a copy takes the place of the one that it came by, which would hold up its partition's
   * commit and what may be deleted. It stays where it is.
   */
  secure(entry: Entry): void {
    const { attempt, dueAt } = entry.delivery;
    const next = this.#copyOf(entry, { attempt, dueAt });
    this.#append(entry, topicFor(this.#delaysMs, waitingDelayMs), next, [], () => {
      // One that was read of a later hop is still needed.
      if ((entry.held?.hop ?? Infinity) <= next.hop) entry.letGo();
      this.#ports.secured(entry);
    });
  }

  /**
   * The next copy of what goes on, after `delayMs` or later.
   * @param stays until when it (also) waits in memory, Unix ms; null: it leaves it
   * @param further records that share its send
   */
  next(
    entry: Entry,
    changes: Changes,
    { delayMs, stays, further }: { delayMs: number; stays: number | null; further: readonly OutgoingRecord[] },
  ): void {
    this.#move(entry, topicFor(this.#delaysMs, delayMs), this.#copyOf(entry, changes), further, stays);
  }

  /** The first copy of a batch, whose entry is known and has none. @param formed with the bytes of the record */
  first(batch: Entry, delivery: Delivery, formed: (recordBytes: number) => void): void {
    batch.issued = delivery.hop;
    this.#append(batch, 0, delivery, [], formed);
  }

  #hop(entry: Entry, topic: number, dueAt: number | null): void {
    this.#move(entry, topic, this.#copyOf(entry, { attempt: entry.delivery.attempt, dueAt }), [], null);
  }

  #move(entry: Entry, topic: number, next: Delivery, further: readonly OutgoingRecord[], stays: number | null): void {
    this.#append(entry, topic, next, further, () => {
      const wasRead = entry.held?.hop === next.hop;
      if (stays !== null || !wasRead) entry.letGo();
      if (stays === null) entry.place = wasRead ? 'held' : 'away';
      entry.load(next);
      this.#ports.moved(entry, stays);
    });
  }

  /** When it is acknowledged it stands for the entry, and the earlier copies settle. */
  #append(
    entry: Entry,
    topic: number,
    next: Delivery,
    further: readonly OutgoingRecord[],
    stands: (recordBytes: number) => void,
  ): void {
    const { partition } = entry;
    const value = this.#ports.codecs.delivery.encode(next);
    const name = this.#topics.retry[topic]?.name ?? '';
    const record: OutgoingRecord = { topic: name, partition: partition.number, key: next.endpointId, value };
    this.#ports.appender.append(partition, [record, ...further], ([position]) => {
      const tracker = partition.retries[topic];
      if (tracker === undefined || position === undefined) return;
      const { offset } = position;
      tracker.appended(offset, partition.attemptsEnd);
      const copy = { tracker, offset };
      if (partition.ledger.get(entry.id) !== entry || entry.hop >= next.hop) {
        // It was appended beside what it was doing, which has come to its end meanwhile.
        partition.ledger.settle(copy);
        return;
      }
      const isIt = (one: Entry['early'][number]): boolean => one.offset === offset && one.tracker === tracker;
      const early = entry.early.filter((one) => one.hop <= next.hop && !isIt(one));
      entry.early = entry.early.filter((one) => one.hop > next.hop);
      partition.ledger.advance(entry, next.hop, [...early, copy]);
      stands(value.length);
    });
  }

  #copyOf(entry: Entry, changes: Changes): Delivery {
    entry.issued = Math.max(entry.issued, entry.hop) + 1;
    return {
      ...entry.delivery,
      ...changes,
      hop: entry.issued,
      pos: entry.pos,
      writer: entry.partition.writer,
      members: membersNow(entry),
    };
  }
}
