import { Appender } from './appender.js';
import { Backlog } from './backlog.js';
import { Batching } from './batching.js';
import { Commits } from './commits.js';
import { Copies } from './copies.js';
import { outstandingBoundsOf, type DeliverOptions, type DeliverPorts } from './deliver-options.js';
import { EndpointDirectory } from './endpoint-directory.js';
import type { EndpointShare, Entry } from './owned-partition.js';
import { FarCopies } from './far-copies.js';
import { Halts } from './halts.js';
import { HeldPartitions } from './held-partitions.js';
import { Intake } from './intake.js';
import type { Lane } from './lane.js';
import { Lanes } from './lanes.js';
import { Outcomes } from './outcomes.js';
import { Posting } from './posting.js';
import { RetryTimers } from './retry-timers.js';
import { Returns } from './returns.js';
import { TokenCache } from './token-cache.js';
import { Upkeep } from './upkeep.js';

/** What the parts ask of the worker that holds them. */
export interface PartsHooks {
  /** Whether a POST may be started. */
  mayStart(): boolean;
  /** The lease. */
  isHeld(): boolean;
  /** There may be something to start, or to read on. */
  pump(): void;
}

const commitEveryRecords = 2_000;

/** The parts of the delivery worker, put together: each knows of the others only what its ports say. */
export class DeliverParts {
  readonly backlog: Backlog;
  readonly directory: EndpointDirectory;
  readonly lanes: Lanes;
  readonly appender: Appender;
  readonly copies: Copies;
  readonly outcomes: Outcomes;
  readonly batching: Batching;
  readonly timers: RetryTimers;
  readonly halts: Halts;
  readonly farCopies: FarCopies;
  readonly intake: Intake;
  readonly returns: Returns;
  readonly posting: Posting;
  readonly partitions: HeldPartitions;
  readonly commits: Commits;
  readonly upkeep: Upkeep;
  readonly #hooks: PartsHooks;

  constructor(options: DeliverOptions, ports: DeliverPorts, hooks: PartsHooks) {
    const { clock, codecs, log, feed } = ports;
    const { topics, without = new Set() } = options;
    const delaysMs = topics.retry.map((topic) => topic.delayMs);
    const outstanding = outstandingBoundsOf(options);
    this.#hooks = hooks;
    this.backlog = new Backlog(options.backlog ?? { maxRecords: 50_000, maxBytes: 96 * 1_024 * 1_024 }, () =>
      clock.monotonic(),
    );
    this.directory = new EndpointDirectory(topics.endpoints, options.masterKeys, {
      feed,
      clock,
      codecs,
      log,
      changed: () => this.#configurationRead(),
    });
    const bounds = { maxRecords: options.laneRecords, maxBytes: options.laneBytes };
    this.lanes = new Lanes({ maxInFlight: options.maxInFlight, bounds }, this.backlog, {
      monotonic: () => clock.monotonic(),
      schedule: (ms, task) => clock.schedule(ms, task),
      mayStart: () => hooks.mayStart(),
      start: (entry, lane) => this.posting.start(entry, lane),
      settingsOf: (endpointId) => this.directory.laneSettingsOf(endpointId),
      replayOf: (stream) => this.directory.replays.get(stream),
      mayGo: (entry) => entry.partition.mayGo(entry),
      spill: (entry, wait) => this.intake.turnAway(entry, wait),
      drop: (entry) => this.outcomes.drop(entry),
      pump: () => hooks.pump(),
      hungry: ({ partition, endpointId }) => {
        const share = this.partitions.partition(partition)?.shareOf(endpointId);
        if (share !== undefined) this.intake.pull(share);
      },
    });
    this.appender = new Appender({
      attempts: topics.attempts,
      sender: ports.sender,
      clock,
      mayAppend: () => hooks.isHeld(),
      batchDone: () => hooks.pump(),
      refused: (partition, error) => this.partitions.stop(partition, { partition: partition.number }, error),
    });
    this.copies = new Copies(topics, {
      appender: this.appender,
      codecs,
      moved: (entry, dueAt) => this.#moved(entry, dueAt),
      secured: (entry) => {
        entry.since = clock.monotonic();
        this.commits.settled(entry.partition);
      },
    });
    this.outcomes = new Outcomes(
      { topics, workerId: options.workerId },
      {
        appender: this.appender,
        copies: this.copies,
        codecs,
        clock,
        random: ports.random,
        metrics: ports.metrics,
        endpointOf: (endpointId) => this.directory.endpointOf(endpointId),
        askedToDisable: (endpointId, askedAt) => this.directory.askedToDisable(endpointId, askedAt),
        mayWait: () => !this.backlog.isHigh,
        received: (entry) => this.intake.freed(entry.partition.leaveWindow(entry)),
        closed: (entry) => this.#closed(entry),
      },
    );
    this.timers = new RetryTimers(clock, (entry) => {
      this.intake.admit(entry);
      hooks.pump();
    });
    this.batching = new Batching({
      directory: this.directory,
      copies: this.copies,
      backlog: this.backlog,
      formed: (batch, lane, first) => {
        this.lanes.formed(batch, lane, first);
        this.commits.settled(batch.partition);
      },
    });
    this.posting = new Posting({
      http: ports.http,
      tokens: new TokenCache<Lane<Entry>>({
        post: (request) => ports.http.post(request),
        monotonic: () => clock.monotonic(),
        fetched: (result) => ports.metrics.tokenFetched(result),
        arrived: (lanes) => {
          for (const lane of lanes) this.lanes.resume(lane);
          hooks.pump();
        },
      }),
      clock,
      directory: this.directory,
      outcomes: this.outcomes,
      copies: this.copies,
      batching: this.batching,
      log,
      mayStart: () => hooks.isHeld(),
      putBack: (entry, dueAt) => {
        this.lanes.release(entry);
        this.timers.add(dueAt, entry);
      },
      stopped: ({ partition, id }, error) =>
        this.partitions.stop(partition, { partition: partition.number, id }, error),
      late: (lane, entry, ms) => {
        this.lanes.postedLate(lane, entry, ms);
        // Others of its lane have waited for it.
        this.lanes.configurationRead();
      },
      landed: (lane, entry, result) => {
        this.lanes.landed(lane, entry, result);
        hooks.pump();
      },
    });
    this.halts = new Halts({
      directory: this.directory,
      partitions: () => this.partitions.partitions(),
      takeUp: (held) => this.intake.takeUp(held),
    });
    this.farCopies = new FarCopies(topics, {
      reader: ports.reader,
      codecs,
      clock,
      log,
      mayLook: () => !this.backlog.isHigh && hooks.mayStart(),
      ahead: (endpointId, stream) => this.intake.aheadOf(endpointId, stream),
      again: (share) => this.#pullAgain(share),
      found: (entry, delivery, bytes) => this.intake.found(entry, delivery, bytes),
      done: () => hooks.pump(),
    });
    this.returns = new Returns({ backlog: this.backlog, directory: this.directory, lanes: this.lanes, without });
    this.intake = new Intake(
      { delaysMs, maxOutstanding: outstanding.endpoint },
      {
        clock,
        backlog: this.backlog,
        lanes: this.lanes,
        timers: this.timers,
        outcomes: this.outcomes,
        copies: this.copies,
        directory: this.directory,
        halts: this.halts,
        farCopies: this.farCopies,
        mayTakeUp: (held) => this.returns.mayTakeUp(held),
        taken: (delivery) => this.returns.takenUp(delivery),
      },
    );
    this.commits = new Commits(
      {
        topic: topics.deliveries,
        delaysMs,
        everyMs: options.commitEveryMs ?? 250,
        everyRecords: commitEveryRecords,
        without,
      },
      { membership: ports.membership, clock, mayCommit: () => hooks.isHeld(), log },
    );
    this.partitions = new HeldPartitions(
      {
        topics,
        workerId: options.workerId,
        maxOutstanding: outstanding.worker,
        partitionMaxOutstanding: outstanding.partition,
        endpointMaxOutstanding: outstanding.endpoint,
        without,
      },
      {
        ...ports,
        backlog: this.backlog,
        lanes: this.lanes,
        commits: this.commits,
        intake: this.intake,
        mayTakeUp: (due) => this.returns.mayTakeUp(due),
        isHeld: () => hooks.isHeld(),
        pump: () => hooks.pump(),
        disableWish: ({ endpointId, startedAt, configVersion }) => {
          // Clocks may differ: of one that was changed since, its record says what became of it.
          if ((this.directory.endpointOf(endpointId)?.version ?? 0) > configVersion) return;
          this.directory.askedToDisable(endpointId, startedAt);
        },
      },
    );
    this.upkeep = new Upkeep(options, ports, {
      commits: this.commits,
      copies: this.copies,
      lanes: this.lanes,
      isHeld: () => hooks.isHeld(),
      partitions: () => this.partitions.partitions(),
    });
  }

  /** Its next copy is durable. */
  #moved(entry: Entry, dueAt: number | null): void {
    this.returns.appended(entry.delivery);
    this.lanes.release(entry);
    if (dueAt === null) this.backlog.unload(entry);
    else this.timers.add(dueAt, entry);
    this.#settled(entry);
    this.#dropOn(entry);
  }

  #closed(entry: Entry): void {
    // A batch is let go of with the last of its members.
    const sent = entry.batch ?? entry;
    this.returns.appended(sent.delivery);
    const freed = entry.partition.close(entry);
    if (sent === entry || sent.weight === 0) {
      this.lanes.release(sent);
      this.backlog.unload(sent);
      this.#settled(sent);
    }
    this.intake.freed(freed);
    this.#dropOn(entry);
  }

  /** Some time has passed: what was of a lost partition is not ours to send. */
  #pullAgain(share: EndpointShare): void {
    for (const partition of this.partitions.partitions()) {
      if (partition.shareOf(share.endpointId) === share) this.intake.pull(share);
    }
    this.#hooks.pump();
  }

  /** What is left of a cancelled replay is dropped now, not when its copies come round in half a day. */
  #dropOn({ share, stream }: Entry): void {
    if (this.directory.replays.get(stream)?.state === 'cancelled') this.intake.pull(share);
  }

  #settled({ partition, id }: Entry): void {
    partition.heldFence = null;
    this.commits.settled(partition);
    if (partition.announced?.entry.id !== id) return;
    partition.announced = null;
    this.lanes.configurationRead();
  }

  #configurationRead(): void {
    this.lanes.configurationRead();
    this.halts.configurationRead();
    // An endpoint that was paused need not wait until its copies come round.
    for (const partition of this.partitions.partitions()) {
      for (const share of partition.shares()) this.intake.pull(share);
    }
    this.#hooks.pump();
  }
}
