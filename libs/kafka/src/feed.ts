import { errorName, messageOf } from './broker-link.js';
import { backoffMs, isStaleLeader, pause, type Cluster } from './cluster.js';
import { decodeFetch, encodeFetch, type FetchedPartition } from './fetch-request.js';
import { HandOver } from './hand-over.js';
import { patiently, readBounds } from './log-bounds.js';
import {
  OffsetOutOfRange,
  partitionName,
  type FeedHandler,
  type LogFeed,
  type LogRecord,
  type TopicPartition,
} from './ports.js';
import { decodeBatches, type DecodedBatches } from './record-batch.js';

const longPollMs = 250;
/** Newcomers are read over a second connection until the long poll under way ends and takes them in. */
const newcomerPollMs = 25;
const limits = { maxBytes: 8_000_000, maxBytesPerPartition: 1_000_000 };
const offsetOutOfRange = 1;

/** One partition that is followed. A new `follow` makes a new one, so that late answers find their own or nobody. */
interface Followed extends TopicPartition {
  readonly name: string;
  readonly handler: FeedHandler;
  position: number;
  /** The end that the handler was told last with nothing left below it. */
  toldEnd: number;
  fetching: boolean;
  newcomer: boolean;
  failures: number;
  readonly handOver: HandOver;
}

type Lane = 'long-poll' | 'newcomers';

export class KafkaFeed implements LogFeed {
  private readonly followed = new Map<string, Followed>();
  private readonly lanes = new Set<string>();
  private readonly closing = new AbortController();
  private findingLeaders = false;
  private turn = 0;

  constructor(private readonly cluster: Cluster) {}

  follow(partition: TopicPartition, offset: number, handler: FeedHandler): void {
    const { topic, partition: number } = partition;
    const name = partitionName(partition);
    const followed: Followed = {
      topic,
      partition: number,
      name,
      handler,
      position: offset,
      toldEnd: -1,
      fetching: false,
      newcomer: true,
      failures: 0,
      handOver: new HandOver(handler, {
        isWanted: () => this.followed.get(name) === followed,
        emptied: () => {
          // It was left out of the long poll under way.
          followed.newcomer = true;
          this.wake();
        },
        failed: (bug) => {
          // Its records are lost to it: the partition must not go on as if nothing had happened.
          this.followed.delete(name);
          queueMicrotask(() => {
            throw bug;
          });
        },
      }),
    };
    this.followed.set(name, followed);
    this.wake();
  }

  pause(partition: TopicPartition): void {
    const followed = this.followed.get(partitionName(partition));
    if (followed !== undefined) followed.handOver.paused = true;
  }

  resume(partition: TopicPartition): void {
    const followed = this.followed.get(partitionName(partition));
    if (followed?.handOver.paused === true) followed.handOver.resume();
  }

  unfollow(partition: TopicPartition): void {
    this.followed.delete(partitionName(partition));
  }

  close(): Promise<void> {
    this.followed.clear();
    this.closing.abort();
    this.cluster.close();
    return Promise.resolve();
  }

  /** Sees to it that each broker with something to read has its loops. */
  private wake(): void {
    if (this.closing.signal.aborted) return;
    for (const followed of this.followed.values()) {
      if (!this.wants(followed)) continue;
      const leader = this.cluster.leaderOf(followed);
      if (leader === null) {
        this.findLeaders();
        continue;
      }
      this.run(leader, 'long-poll');
      if (followed.newcomer) this.run(leader, 'newcomers');
    }
  }

  private wants(followed: Followed): boolean {
    return !followed.fetching && followed.handOver.wants;
  }

  private run(leader: number, lane: Lane): void {
    const name = `${leader}/${lane}`;
    if (this.lanes.has(name)) return;
    this.lanes.add(name);
    const loop = async () => {
      // Calls of one turn of the event loop come together.
      await pause(0);
      for (let failures = 0; !this.closing.signal.aborted;) {
        const { taken, maxWaitMs } = this.take(leader, lane);
        if (taken.length === 0) break;
        if (await this.fetch(leader, lane, taken, maxWaitMs)) {
          failures = 0;
          continue;
        }
        await pause(backoffMs(failures++), this.closing.signal);
        await this.refreshed(failures);
        // Some may have another leader now.
        this.wake();
      }
    };
    loop()
      .catch((error: unknown) => this.cluster.log('error', 'a feed loop failed', { reason: messageOf(error) }))
      .finally(() => {
        this.lanes.delete(name);
        this.wake();
      })
      .catch((error: unknown) => this.cluster.log('error', 'a feed loop failed', { reason: messageOf(error) }));
  }

  private take(leader: number, lane: Lane): { readonly taken: Followed[]; readonly maxWaitMs: number } {
    const taken: Followed[] = [];
    let maxWaitMs = lane === 'long-poll' ? longPollMs : newcomerPollMs;
    for (const followed of this.followed.values()) {
      if (followed.handOver.paused || this.cluster.leaderOf(followed) !== leader) continue;
      if (lane === 'long-poll' && followed.newcomer) {
        followed.newcomer = false;
        // The other connection has it; the next round takes it in.
        if (followed.fetching) maxWaitMs = newcomerPollMs;
      } else if (lane === 'newcomers' && !followed.newcomer) continue;
      if (!this.wants(followed)) continue;
      followed.fetching = true;
      taken.push(followed);
    }
    // Another one begins each time: the broker fills an answer in order and gives a batch above the limits to the first alone.
    const first = taken.length === 0 ? 0 : this.turn++ % taken.length;
    return { taken: [...taken.slice(first), ...taken.slice(0, first)], maxWaitMs };
  }

  /** @returns false if nothing came. */
  private async fetch(leader: number, lane: Lane, taken: readonly Followed[], maxWaitMs: number): Promise<boolean> {
    try {
      const request = encodeFetch(taken, { ...limits, maxWaitMs });
      const answer = decodeFetch(await this.cluster.callRaw(leader, request, lane));
      if (answer.errorCode !== 0) throw new Error(errorName(answer.errorCode));
      const byName = new Map(taken.map((followed) => [followed.name, followed]));
      for (const followed of taken) followed.fetching = false;
      for (const fetched of answer.partitions) {
        const followed = byName.get(partitionName(fetched));
        // Replaced or given up in the meantime: these records are nobody's.
        if (followed !== undefined && this.followed.get(followed.name) === followed) this.accept(followed, fetched);
      }
      return true;
    } catch (error) {
      for (const followed of taken) followed.fetching = false;
      this.cluster.log('debug', 'a fetch is tried again', { leader, reason: messageOf(error) });
      return false;
    }
  }

  private accept(followed: Followed, fetched: FetchedPartition): void {
    if (fetched.errorCode === offsetOutOfRange) return void this.outOfRange(followed);
    if (fetched.errorCode !== 0)
      return void this.rest(followed, errorName(fetched.errorCode), isStaleLeader(fetched.errorCode));
    let decoded: DecodedBatches;
    try {
      decoded = decodeBatches(fetched.recordSet, followed, followed.position, fetched.aborted);
    } catch (error) {
      return void this.rest(followed, messageOf(error), false);
    }
    const { records, next } = decoded;
    const { end } = fetched;
    followed.failures = 0;
    followed.position = next;
    if (records.length > 0) {
      if ((records.at(-1)?.offset ?? 0) + 1 >= end) followed.toldEnd = end;
      this.give(followed, records, end);
    }
    if (next >= end && followed.toldEnd !== end) {
      followed.toldEnd = end;
      this.give(followed, [], end);
    }
  }

  /** This partition alone waits before its next fetch; the others of the broker go on. */
  private async rest(followed: Followed, reason: string, stale: boolean): Promise<void> {
    followed.fetching = true;
    const failures = followed.failures++;
    this.cluster.log(stale && failures < 5 ? 'debug' : 'warn', 'a fetch is tried again', {
      at: followed.name,
      position: followed.position,
      reason,
    });
    await pause(backoffMs(failures), this.closing.signal);
    if (stale) await this.refreshed(failures);
    followed.fetching = false;
    this.wake();
  }

  private give(followed: Followed, records: readonly LogRecord[], end: number): void {
    if (this.followed.get(followed.name) === followed) followed.handOver.give(records, end);
  }

  private async outOfRange(followed: Followed): Promise<void> {
    followed.fetching = true;
    try {
      const [bounds] = await patiently(
        this.cluster,
        'bounds',
        () => readBounds(this.cluster, [followed]),
        Number.POSITIVE_INFINITY,
        this.closing.signal,
      );
      if (this.followed.get(followed.name) !== followed || bounds === undefined) return;
      // A new leader may be behind for a moment: then the position is there after all.
      if (followed.position >= bounds.start && followed.position <= bounds.end) {
        await pause(backoffMs(0), this.closing.signal);
        return;
      }
      this.followed.delete(followed.name);
      followed.handler.onOutOfRange(
        new OffsetOutOfRange({ topic: followed.topic, partition: followed.partition }, followed.position, bounds),
      );
    } catch (error) {
      this.cluster.log('debug', 'no bounds', { at: followed.name, reason: messageOf(error) });
    } finally {
      followed.fetching = false;
      this.wake();
    }
  }

  private async refreshed(failures: number): Promise<void> {
    try {
      if (!this.closing.signal.aborted) await this.cluster.refresh([]);
    } catch (error) {
      this.cluster.log(failures > 3 ? 'warn' : 'debug', 'no metadata', { failures, reason: messageOf(error) });
    }
  }

  private findLeaders(): void {
    if (this.findingLeaders) return;
    this.findingLeaders = true;
    const loop = async () => {
      for (let attempt = 0; !this.closing.signal.aborted; attempt++) {
        const leaderless = [...this.followed.values()].filter((one) => this.cluster.leaderOf(one) === null);
        if (leaderless.length === 0) break;
        if (attempt > 0) await pause(backoffMs(attempt - 1), this.closing.signal);
        try {
          await this.cluster.refresh(new Set(leaderless.map(({ topic }) => topic)));
        } catch (error) {
          this.cluster.log(attempt > 3 ? 'warn' : 'debug', 'no leaders', { attempt, reason: messageOf(error) });
        }
        this.wake();
      }
    };
    void loop().finally(() => {
      this.findingLeaders = false;
      this.wake();
    });
  }
}
