import { ShareBudget } from '#libs/core';
import { Appender } from './appender.js';
import { Backlog } from './backlog.js';
import { Batching } from './batching.js';
import { Commits } from './commits.js';
import { Copies } from './copies.js';
import type { DeliverOptions, DeliverPorts } from './deliver-options.js';
import { EndpointDirectory } from './endpoint-directory.js';
import type { DelayedCopy, EndpointShare, Entry } from './owned-partition.js';
import { FarCopies } from './far-copies.js';
import { Halts } from './halts.js';
import { HeldPartitions } from './held-partitions.js';
import { IdleSpaces } from './idle-spaces.js';
import { Intake } from './intake.js';
import { workKindOf } from './work-source.js';
import type { Lane } from './lane.js';
import { Lanes } from './lanes.js';
import { Outcomes } from './outcomes.js';
import { Posting } from './posting.js';
import { RetryTimers } from './retry-timers.js';
import type { Without } from './rules.js';
import { Securing } from './securing.js';
import { StatusReports } from './status-reports.js';
import { TokenCache } from './token-cache.js';
import { Trimming } from './trimming.js';

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
/** Retry topics are looked at ten times a second while something due must wait. */
const takenBetweenLooks = 64;

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
  readonly tokens: TokenCache<Lane<Entry>>;
  readonly posting: Posting;
  readonly partitions: HeldPartitions;
  readonly commits: Commits;
  readonly trimming: Trimming;
  readonly idleSpaces: IdleSpaces;
  readonly statusReports: StatusReports;
  readonly securing: Securing;
  readonly #hooks: PartsHooks;
  /** Retries among what this worker appends, while first attempts wait. */
  readonly #appends = new ShareBudget(undefined, takenBetweenLooks);
  readonly #without: Without;

  constructor(options: DeliverOptions, ports: DeliverPorts, hooks: PartsHooks) {
    const { clock, codecs, log, feed } = ports;
    const { topics, without = new Set() } = options;
    const delaysMs = topics.retry.map((topic) => topic.delayMs);
    const endpointMaxOutstanding = options.endpointMaxOutstanding ?? 10_000;
    const partitionMaxOutstanding = options.partitionMaxOutstanding ?? 200_000;
    const workerMaxOutstanding = options.maxOutstanding ?? 400_000;
    this.#hooks = hooks;
    this.#without = without;
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
        received: (entry) => this.#unblock(entry.partition.leaveWindow(entry)),
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
    this.tokens = new TokenCache({
      post: (request) => ports.http.post(request),
      monotonic: () => clock.monotonic(),
      fetched: (result) => ports.metrics.tokenFetched(result),
      arrived: (lanes) => {
        for (const lane of lanes) this.lanes.resume(lane);
        hooks.pump();
      },
    });
    this.posting = new Posting({
      http: ports.http,
      tokens: this.tokens,
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
    this.intake = new Intake(
      { delaysMs, maxOutstanding: endpointMaxOutstanding },
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
        mayTakeUp: (held) => this.#mayTakeUp(held),
        taken: (delivery) => {
          // Each of them is appended again, or POSTed and then appended.
          if (workKindOf(delivery) === 'old') this.#appends.took('old');
        },
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
        maxOutstanding: workerMaxOutstanding,
        partitionMaxOutstanding,
        endpointMaxOutstanding,
        without,
      },
      {
        ...ports,
        backlog: this.backlog,
        lanes: this.lanes,
        commits: this.commits,
        intake: this.intake,
        mayTakeUp: (due) => this.#mayTakeUp(due),
        isHeld: () => hooks.isHeld(),
        pump: () => hooks.pump(),
        disableWish: ({ endpointId, startedAt, configVersion }) => {
          // Clocks may differ: of one that was changed since, its record says what became of it.
          if ((this.directory.endpointOf(endpointId)?.version ?? 0) > configVersion) return;
          this.directory.askedToDisable(endpointId, startedAt);
        },
      },
    );
    this.trimming = new Trimming(
      { topics, everyMs: options.trimEveryMs ?? 60_000 },
      { administration: ports.administration, commits: this.commits, clock, log },
    );
    this.securing = new Securing(
      { afterMs: options.secureAfterMs ?? 60_000 },
      { copies: this.copies, clock, partitions: () => this.partitions.partitions() },
    );
    this.statusReports = new StatusReports(
      {
        topic: topics.endpointStatus,
        maxOutstanding: endpointMaxOutstanding,
        partitionMaxOutstanding,
        workerMaxOutstanding,
        everyMs: options.statusEveryMs ?? 1_000,
      },
      {
        sender: ports.sender,
        reader: ports.reader,
        codecs,
        lanes: this.lanes,
        clock,
        log,
        isHeld: () => hooks.isHeld(),
        partitions: () => this.partitions.partitions(),
      },
    );
    this.idleSpaces = new IdleSpaces(
      {
        deliveries: topics.deliveries,
        events: topics.events,
        dispatcherGroupId: options.dispatcherGroupId,
        everyMs: options.idleSpacesEveryMs ?? 30_000,
      },
      {
        administration: ports.administration,
        reader: ports.reader,
        clock,
        partitions: () => this.partitions.partitions(),
        log,
      },
    );
  }

  /** Its next copy is durable. */
  #moved(entry: Entry, dueAt: number | null): void {
    if (workKindOf(entry.delivery) === 'fresh') this.#appends.took('fresh');
    this.lanes.release(entry);
    if (dueAt === null) this.backlog.unload(entry);
    else this.timers.add(dueAt, entry);
    this.#settled(entry);
    this.#dropOn(entry);
  }

  #closed(entry: Entry): void {
    // A batch is let go of with the last of its members.
    const sent = entry.batch ?? entry;
    if (workKindOf(sent.delivery) === 'fresh') this.#appends.took('fresh');
    const freed = entry.partition.close(entry);
    if (sent === entry || sent.weight === 0) {
      this.lanes.release(sent);
      this.backlog.unload(sent);
      this.#settled(sent);
    }
    this.#unblock(freed);
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

  #unblock(entries: readonly Entry[]): void {
    for (const entry of entries) this.intake.freed(entry);
  }

  /** What is due in a retry topic may come back: its append is acknowledged, it may be sent, and there is room for it. */
  #mayTakeUp({ entry, hop, delivery }: DelayedCopy): boolean {
    if (delivery === null) return false;
    const { partition } = entry;
    if (hop !== entry.hop || this.backlog.isFull) return false;
    if (entry.lastPos >= partition.deliveries.next && !this.#without.has('read-beyond-pos')) return false;
    if (this.directory.replays.get(entry.stream)?.state === 'cancelled') return true;
    // A lane that has enough of first attempts for now need not get those back that it has spilled.
    if (workKindOf(delivery) === 'fresh') return !this.lanes.hasEnough(entry.endpointId);
    return this.#appends.mayTakeOld(this.lanes.freshWaits);
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
