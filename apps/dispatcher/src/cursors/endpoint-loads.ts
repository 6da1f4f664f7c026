import type { EndpointStatus } from '#libs/contracts';
import { compareEpochs, fattest, liveStream, paceMs, type EndpointLoad, type WriterEpoch } from '#libs/core';
import type { LogFeed, LogReader, LogRecord, TopicPartition } from '#libs/kafka';
import type { PlatformCodecs } from '#libs/schema-codec';
import { backoffMs, messageOf, pause, type Surroundings } from '../surroundings.js';
import type { FreezeWishes } from './freeze-wishes.js';

export interface LoadsOptions {
  /** posthorn.endpoint-status. */
  readonly topic: string;
  readonly partitions: number;
  /** Deliveries that a worker holds in memory for one endpoint. */
  readonly laneRecords: number;
  /** How long a circuit is open before its endpoint is frozen, ms. */
  readonly circuitFreezeMs: number;
}

/** Older word is stale: its worker tells how things stand every 10 s at least. */
const staleAfterMs = 30_000;
/** An endpoint that overflowed is followed live again, once fewer than so many are outstanding. */
const relaxedBelow = 5_000;

interface Told {
  /** By the broker's clock. */
  readonly at: number;
  readonly outstanding: number;
  readonly streams: ReadonlyMap<string, number>;
  readonly circuitOpenUntil: number | null;
  /** Since when its circuit was told to be open, without a break. */
  readonly openSince: number | null;
  readonly overflow: boolean;
}

interface Sent {
  readonly offset: number;
  readonly count: number;
  readonly stream: string;
  /** Slice of `paceMs`. */
  readonly slice: number;
}

class PartitionWord {
  epoch: WriterEpoch = { era: -1, generation: -1 };
  readTo = 0;
  /** When the partition's own record came, by our monotonic clock: the broker's may differ from ours. */
  heardAt = Number.NEGATIVE_INFINITY;
  /** Endpoints that were frozen because the partition held so much. */
  relieved: { readonly endpointIds: readonly string[]; readonly outstanding: number } | null = null;
  readonly endpoints = new Map<string, Told>();
  /** What was sent and may not have been read, by endpoint. */
  readonly sent = new Map<string, Sent[]>();
}

/**
 * How loaded endpoints are: what the workers tell in posthorn.endpoint-status, and what was sent beyond what they had read
 * then. Advice: what is wrong here makes a catch-up slow, or an endpoint frozen that need not be.
 */
export class EndpointLoads {
  readonly #options: LoadsOptions;
  readonly #log: { readonly feed: LogFeed; readonly reader: LogReader };
  readonly #codecs: Pick<PlatformCodecs, 'prepare' | 'endpointStatus'>;
  readonly #wishes: FreezeWishes;
  readonly #around: Surroundings;
  readonly #words: readonly PartitionWord[];
  #applying: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(
    options: LoadsOptions,
    log: { readonly feed: LogFeed; readonly reader: LogReader },
    codecs: Pick<PlatformCodecs, 'prepare' | 'endpointStatus'>,
    wishes: FreezeWishes,
    around: Surroundings,
  ) {
    this.#options = options;
    this.#log = log;
    this.#codecs = codecs;
    this.#wishes = wishes;
    this.#around = around;
    this.#words = Array.from({ length: options.partitions }, () => new PartitionWord());
  }

  async start(): Promise<void> {
    const { topic, partitions } = this.#options;
    const all = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
    for (let failures = 0; !this.#closed; failures += 1) {
      try {
        const bounds = await this.#log.reader.bounds(all);
        if (!this.#closed) for (const [nth, at] of all.entries()) this.#follow(at, bounds[nth]?.start ?? 0);
        return;
      } catch (error) {
        this.#around.log.warn({ topic, reason: messageOf(error) }, 'how endpoints stand cannot be read yet');
        await pause(this.#around, backoffMs(failures));
      }
    }
  }

  close(): void {
    this.#closed = true;
    const { topic, partitions } = this.#options;
    for (let partition = 0; partition < partitions; partition += 1) this.#log.feed.unfollow({ topic, partition });
  }

  /**
   * @param stream null: of all streams
   * @returns null when nothing may be sent now: nobody tells how it stands, or its circuit is open
   */
  of(endpointId: string, partition: number, stream: string | null = null): EndpointLoad | null {
    const word = this.#words[partition];
    if (word === undefined || this.#around.monotonic() - word.heardAt > staleAfterMs) return null;
    const told = word.endpoints.get(endpointId);
    if (told !== undefined && told.circuitOpenUntil !== null) return null;
    const outstanding = stream === null ? told?.outstanding : told?.streams.get(stream);
    const sent = (word.sent.get(endpointId) ?? []).filter(({ offset }) => offset >= word.readTo);
    if (sent.length > 0) word.sent.set(endpointId, sent);
    else word.sent.delete(endpointId);
    const slice = this.#slice();
    let [unread, lately] = [0, 0];
    for (const one of sent) {
      if (stream !== null && one.stream !== stream) continue;
      unread += one.count;
      if (one.slice === slice) lately += one.count;
    }
    return { outstanding: outstanding ?? 0, unread, lately, lane: this.#options.laneRecords };
  }

  /** `count` deliveries were sent, the last of which stands at `offset` of its partition. */
  sent(endpointId: string, partition: number, stream: string, offset: number, count: number): void {
    const word = this.#words[partition];
    if (word === undefined || count === 0) return;
    const sent = word.sent.get(endpointId) ?? [];
    const slice = this.#slice();
    const last = sent.at(-1);
    // Counted together, until the last of them was read: they are many.
    const more = last?.stream === stream && last.slice === slice ? (sent.pop()?.count ?? 0) : 0;
    sent.push({ offset, count: count + more, stream, slice });
    word.sent.set(endpointId, sent);
  }

  #slice(): number {
    return Math.floor(this.#around.monotonic() / paceMs);
  }

  #follow(at: TopicPartition, offset: number): void {
    this.#log.feed.follow(at, offset, {
      onRecords: (records) => {
        if (records.length > 0) this.#applying = this.#applying.then(() => this.#applyAll(at.partition, records));
      },
      // A compacted topic may begin later: what is gone was replaced by what is there.
      onOutOfRange: (error) => this.#follow(at, error.bounds.start),
    });
  }

  async #applyAll(partition: number, records: readonly LogRecord[]): Promise<void> {
    for (let failures = 0; !this.#closed; failures += 1) {
      try {
        await this.#codecs.prepare(records.map(({ value }) => value));
        break;
      } catch (error) {
        this.#around.log.warn({ reason: messageOf(error) }, 'the schema of the endpoints’ status cannot be loaded yet');
        await pause(this.#around, backoffMs(failures));
      }
    }
    const word = this.#words[partition];
    if (word === undefined || this.#closed) return;
    for (const record of records) {
      try {
        this.#apply(word, partition, record);
      } catch (error) {
        // Advice that cannot be read is none.
        const { offset } = record;
        this.#around.log.error({ partition, offset, reason: messageOf(error) }, 'how an endpoint stands is unreadable');
      }
    }
  }

  #apply(word: PartitionWord, partition: number, record: LogRecord): void {
    const key = record.key?.toString('utf8') ?? '';
    if (record.value === null) return this.#forget(word, key);
    const status = this.#codecs.endpointStatus.decode(record.value);
    const newer = compareEpochs(status, word.epoch);
    if (newer < 0) return;
    if (newer > 0) {
      // A new owner tells what is worth telling, and nothing of what its predecessor told is.
      word.epoch = { era: status.era, generation: status.generation };
      for (const endpointId of word.endpoints.keys()) this.#forget(word, endpointId);
    }
    if (key === `partition:${partition}`) {
      word.readTo = status.readTo;
      word.heardAt = this.#around.monotonic();
      // Whoever tells of the partition tells of its endpoints, too: what is not told anew does not hold any more.
      for (const [endpointId, { at }] of word.endpoints) {
        if (record.timestamp - at > staleAfterMs) this.#forget(word, endpointId);
      }
      this.#relieve(word, status);
    } else this.#note(word, status, record.timestamp);
  }

  #note(word: PartitionWord, status: EndpointStatus, at: number): void {
    const before = word.endpoints.get(status.key);
    const { circuitOpenUntil, outstanding, overflow } = status;
    const openSince = circuitOpenUntil === null ? null : (before?.openSince ?? at);
    const streams = new Map(status.streams.map((one) => [one.stream, one.outstanding]));
    word.endpoints.set(status.key, { at, outstanding, streams, circuitOpenUntil, openSince, overflow });
    // What replays have outstanding is no reason to hold up what is live.
    const live = streams.get(liveStream) ?? 0;
    if (overflow && live * 2 >= outstanding) this.#wishes.set(status.key, 'load', 'overflow');
    else if (openSince !== null && at - openSince >= this.#options.circuitFreezeMs) {
      this.#wishes.set(status.key, 'load', 'circuit');
    } else if (circuitOpenUntil === null && live < relaxedBelow) this.#wishes.set(status.key, 'load', null);
  }

  /** The partition holds too much: the fattest endpoints are followed no longer, until half of it is gone. */
  #relieve(word: PartitionWord, { overflow, outstanding }: EndpointStatus): void {
    const { relieved } = word;
    if (overflow && relieved === null) {
      const weights = [...word.endpoints].map(([endpointId, told]) => ({ endpointId, outstanding: told.outstanding }));
      const endpointIds = fattest(weights, outstanding / 2);
      word.relieved = { endpointIds, outstanding };
      for (const endpointId of endpointIds) this.#wishes.set(endpointId, 'partition', 'overflow');
    } else if (relieved !== null && !overflow && outstanding * 2 <= relieved.outstanding) {
      word.relieved = null;
      for (const endpointId of relieved.endpointIds) this.#wishes.set(endpointId, 'partition', null);
    }
  }

  #forget(word: PartitionWord, endpointId: string): void {
    if (word.endpoints.delete(endpointId)) this.#wishes.set(endpointId, 'load', null);
  }
}
