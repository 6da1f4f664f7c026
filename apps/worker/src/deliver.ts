// Reads: posthorn.deliveries and the retry topics (partitions that this process owns), posthorn.endpoints.
// Writes: POSTs to endpoints; posthorn.attempts, posthorn.retry.*, posthorn.dead-letters; commits of deliveries.
// Guarantees: at least one POST for each delivery, or its dead letter, or its final Attempt `dropped`; nothing is
//   started, appended or committed outside of the lease; one endpoint's slowness stops neither its partition nor others.
// On a crash: the next owner reads on from the commit; what was in flight or not acknowledged is sent again.
// Tests: deliver.spec.ts (in-memory log, virtual time), worker.int-spec.ts (real Kafka and HTTP).

import type { TopicNames } from '#libs/contracts';
import type { MasterKeys } from '#libs/core';
import type { GainedPartition, GroupMembership, LogFeed, RecordSender, TopicPartition } from '#libs/kafka';
import type { PlatformCodecs } from '#libs/schema-codec';
import { Appender } from './appender.js';
import { Backlog, type BacklogBounds } from './backlog.js';
import type { Clock } from './clock.js';
import { Commits } from './commits.js';
import { EndpointDirectory } from './endpoint-directory.js';
import { HeldPartitions, type PartitionMetrics } from './held-partitions.js';
import { Intake } from './intake.js';
import { Lanes } from './lanes.js';
import { Outcomes, type OutcomeMetrics } from './outcomes.js';
import type { Entry } from './owned-partition.js';
import { Posting, type Http } from './posting.js';
import { RetryTimers } from './retry-timers.js';

interface DeliverMetrics extends OutcomeMetrics, PartitionMetrics {
  inFlight(count: number): void;
}

interface DeliverLog {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

export interface DeliverPorts {
  readonly http: Http;
  readonly sender: RecordSender;
  readonly feed: LogFeed;
  readonly membership: Pick<GroupMembership, 'heldUntil' | 'commit'>;
  readonly codecs: PlatformCodecs;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly metrics: DeliverMetrics;
  readonly log: DeliverLog;
}

export interface DeliverOptions {
  readonly topics: TopicNames;
  readonly workerId: string;
  readonly masterKeys: MasterKeys;
  readonly maxInFlight: number;
  readonly laneRecords: number;
  readonly laneBytes: number;
  /** Default: 50,000 records, 96 MiB; reading pauses at twice as much. */
  readonly backlog?: BacklogBounds;
  /** Default 250. */
  readonly commitEveryMs?: number;
}

const commitEveryRecords = 2_000;
const leaseCheckMs = 50;
const reportEveryMs = 1_000;

/** The delivery worker: composes its parts, and follows what the group gives to it. */
export class DeliveryWorker {
  readonly #ports: DeliverPorts;
  readonly #delaysMs: readonly number[];
  readonly #backlog: Backlog;
  readonly #directory: EndpointDirectory;
  readonly #lanes: Lanes;
  readonly #appender: Appender;
  readonly #outcomes: Outcomes;
  readonly #timers: RetryTimers;
  readonly #intake: Intake;
  readonly #posting: Posting;
  readonly #partitions: HeldPartitions;
  readonly #commits: Commits;
  /** No new POSTs: the group is about to rebalance, or the process to end. */
  #resting = false;
  #leaving = false;
  #pumpIsDue = false;
  #stopReporting: () => void = () => undefined;

  constructor(options: DeliverOptions, ports: DeliverPorts) {
    const { clock, codecs, log, feed } = ports;
    this.#ports = ports;
    this.#delaysMs = options.topics.retry.map((topic) => topic.delayMs);
    this.#backlog = new Backlog(options.backlog ?? { maxRecords: 50_000, maxBytes: 96 * 1_024 * 1_024 });
    this.#directory = new EndpointDirectory(options.topics.endpoints, options.masterKeys, {
      feed,
      clock,
      codecs,
      log,
      changed: () => {
        this.#lanes.configurationRead();
        this.#pump();
      },
    });
    const bounds = { maxRecords: options.laneRecords, maxBytes: options.laneBytes };
    this.#lanes = new Lanes({ maxInFlight: options.maxInFlight, bounds }, this.#backlog, {
      monotonic: () => clock.monotonic(),
      mayStart: () => !this.#resting && this.#isHeld(),
      start: (entry, lane) => this.#posting.start(entry, lane),
      maxInFlightOf: (endpointId) => this.#directory.maxInFlightOf(endpointId),
    });
    this.#appender = new Appender({
      sender: ports.sender,
      clock,
      mayAppend: () => this.#isHeld(),
      batchDone: () => this.#pump(),
      refused: (partition, error) => this.#partitions.stop(partition, { partition: partition.number }, error),
    });
    this.#outcomes = new Outcomes(
      { topics: options.topics, workerId: options.workerId },
      {
        appender: this.#appender,
        codecs,
        clock,
        random: ports.random,
        metrics: ports.metrics,
        mayWait: () => !this.#backlog.isHigh,
        finish: (entry) => this.#finish(entry),
        waitInMemory: (entry, dueAt, copyOffset) => {
          entry.partition.awaitCopy(entry, copyOffset);
          this.#lanes.release(entry);
          this.#timers.add(dueAt, entry);
        },
      },
    );
    this.#timers = new RetryTimers(clock, (entry) => {
      this.#intake.admit(entry);
      this.#pump();
    });
    this.#posting = new Posting({
      http: ports.http,
      clock,
      directory: this.#directory,
      outcomes: this.#outcomes,
      log,
      putBack: (entry, dueAt) => {
        this.#lanes.release(entry);
        this.#timers.add(dueAt, entry);
      },
      landed: (lane, success) => {
        this.#lanes.landed(lane, success);
        this.#pump();
      },
    });
    this.#intake = new Intake(this.#delaysMs, {
      clock,
      backlog: this.#backlog,
      lanes: this.#lanes,
      timers: this.#timers,
      outcomes: this.#outcomes,
      directory: this.#directory,
    });
    this.#commits = new Commits(
      {
        topic: options.topics.deliveries,
        delaysMs: this.#delaysMs,
        everyMs: options.commitEveryMs ?? 250,
        everyRecords: commitEveryRecords,
      },
      { membership: ports.membership, clock, mayCommit: () => this.#isHeld(), log },
    );
    this.#partitions = new HeldPartitions(options.topics, {
      ...ports,
      backlog: this.#backlog,
      lanes: this.#lanes,
      commits: this.#commits,
      intake: this.#intake,
      pump: () => this.#pump(),
    });
  }

  /** Reads the endpoints' configuration; the group may be joined when this resolves. */
  async start(): Promise<void> {
    await this.#directory.start();
    this.#commits.start();
    this.#report();
  }

  get isReady(): boolean {
    return this.#directory.isRead;
  }

  /** Held partitions that stopped with an alarm. */
  get stoppedPartitions(): number {
    return this.#partitions.stopped;
  }

  gained(partitions: readonly GainedPartition[]): void {
    this.#resting = this.#leaving;
    if (this.#leaving) return;
    for (const gained of partitions) this.#partitions.take(gained);
    this.#pump();
  }

  lost(partitions: readonly TopicPartition[]): void {
    for (const one of partitions) {
      const partition = this.#partitions.letGo(one);
      if (partition !== undefined) this.#lanes.drop(partition);
    }
    this.#pump();
  }

  /** Finishes what can be finished within `ms`, and commits it. Starts nothing new until the lease is back. */
  async settle(ms: number): Promise<void> {
    this.#resting = true;
    const until = this.#ports.clock.monotonic() + ms;
    while (this.#lanes.inFlight + this.#appender.pending > 0 && this.#ports.clock.monotonic() < until) {
      await new Promise<void>((resolve) => void this.#ports.clock.schedule(5, resolve));
    }
    await this.#commits.flush();
    this.#resting = this.#leaving;
    // Not at once: the join that this was for comes first, and ends the lease.
    this.#pumpLater();
  }

  /** Takes nothing more, finishes what is in flight (for at most `ms`), commits. */
  async drain(ms: number): Promise<void> {
    this.#leaving = true;
    this.#partitions.stopReading();
    this.#timers.close();
    await this.settle(ms);
    this.#commits.stop();
    this.#stopReporting();
    this.#directory.stop();
  }

  #finish(entry: Entry): void {
    entry.partition.finish(entry);
    this.#lanes.release(entry);
    this.#backlog.remove(1, entry.bytes);
    this.#commits.settled(entry.partition);
  }

  #pump(): void {
    this.#lanes.pump();
    this.#partitions.readOn();
    // What was just read may be the end of the log: then nobody else starts it.
    this.#lanes.pump();
    if (this.#partitions.isWaiting || (this.#lanes.hasWork && !this.#isHeld())) this.#pumpLater();
  }

  #pumpLater(): void {
    if (this.#pumpIsDue || this.#leaving) return;
    this.#pumpIsDue = true;
    this.#ports.clock.schedule(leaseCheckMs, () => {
      this.#pumpIsDue = false;
      this.#pump();
    });
  }

  #report(): void {
    const { metrics, clock } = this.#ports;
    metrics.inFlight(this.#lanes.inFlight);
    this.#partitions.reportLag();
    this.#stopReporting = clock.schedule(reportEveryMs, () => this.#report());
  }

  #isHeld(): boolean {
    return this.#ports.membership.heldUntil() > this.#ports.clock.monotonic();
  }
}
