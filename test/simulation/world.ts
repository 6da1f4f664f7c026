import {
  noCredentials,
  plainContent,
  withoutVerification,
  tenantKey,
  topicNames,
  type Attempt,
  type EndpointConfig,
  type ReplayState,
  type TopicNames,
} from '#libs/contracts';
import { decodeCommitMetadata, firstCommitMetadata } from '#libs/core';
import { partitionName, type Committed, type OutgoingRecord, type PartitionCommit } from '#libs/kafka';
import { Broker } from './broker.js';
import { inWords } from './records-in-words.js';
import { sealedSecretOf, type Codecs } from './codecs.js';
import type { CommitFact, Leftover, PostFact, Tenure } from './evidence.js';
import { Random } from './random.js';
import { Receivers } from './receiver.js';
import type { EndpointPlan, Fault, ReplayPlan, Scenario } from './scenario.js';
import { SimDatabase, type DatabaseRule } from './sim-database.js';
import { SimGroup } from './sim-group.js';
import type { SimMembership } from './sim-membership.js';
import type { SimProcess } from './sim-process.js';
import { Trace } from './trace.js';
import { VirtualTime } from './virtual-time.js';
import type { CursorRule, Rule } from './subjects.js';

/** A rule of DESIGN §3 that can be taken away: in the worker, or in what surrounds it. */
export type Ablation = Rule | CursorRule | DatabaseRule | 'lease' | 'late-commits';

/** What happened beside the chosen faults, and in consequence of them. */
export type Effect =
  | 'lostAnswer'
  | 'freshProducer'
  | 'lateAppend'
  | 'lostCommit'
  | 'lateCommit'
  | 'handOver'
  | 'lostQuery'
  | 'superseded'
  | 'diedInWrite'
  | 'frozen'
  | 'joined'
  | 'caughtUp'
  | 'backfilled'
  | 'replays';

/** A process that runs, with what the world must know of it. */
export interface Running {
  readonly process: SimProcess;
  membership: SimMembership | null;
  /** Takes its time; the process is over when it resolves. */
  stop(): Promise<void>;
  stopping: boolean;
}

export const sessionTimeoutMs = 6_000;
export const groupIds = { worker: 'posthorn.worker', dispatcher: 'posthorn.dispatcher' } as const;

/** The place where everything happens: brokers, groups, receivers, processes, time; and what is noted of it. */
export class World {
  readonly time = new VirtualTime();
  readonly topics: TopicNames = topicNames('posthorn');
  readonly broker: Broker;
  readonly groups: { readonly worker: SimGroup; readonly dispatcher: SimGroup };
  readonly receivers: Receivers;
  readonly database: SimDatabase;
  readonly running = new Set<Running>();
  readonly counts = new Map<string, number>();
  readonly alarms: string[] = [];
  readonly tenures: Tenure[] = [];
  readonly commits: CommitFact[] = [];
  readonly trace: Trace;
  readonly configs = new Map<string, EndpointConfig>();
  readonly changed = new Set<string>();
  readonly deletedAt = new Map<string, number>();
  /** Where endpoints began that began in the past, by source partition. */
  readonly backfills = new Map<string, readonly number[]>();
  /** Those that were asked for, as their records say. */
  readonly replays = new Map<string, ReplayState>();
  started = 0;
  /** Places in a batch that an acknowledged Attempt tells of: by POST, and those that are final by the batch's id. */
  readonly #told = new Map<PostFact, Set<number>>();
  readonly #closedPlaces = new Map<string, Set<number>>();

  constructor(
    readonly scenario: Scenario,
    readonly random: Random,
    readonly codecs: Codecs,
    readonly without: ReadonlySet<Ablation>,
    keepTrace: boolean,
  ) {
    this.trace = new Trace(() => this.time.elapsed, keepTrace);
    this.broker = new Broker(this.time, (record) => {
      this.trace.note(`${record.by?.process ?? '-'} appended ${partitionName(record)}@${record.offset}`);
      this.trace.detail(() => inWords(this.topics, codecs.schema.platform, record));
    });
    this.receivers = new Receivers(
      this.time,
      random.fork(),
      (process, endpointId) => {
        const plan = scenario.endpoints.find((one) => one.endpointId === endpointId);
        const found = [...this.running].find((one) => one.process === process);
        return plan === undefined ? null : (found?.membership?.tenureOf(plan.partition) ?? null);
      },
      (line) => this.trace.note(line),
    );
    this.database = new SimDatabase(without);
    this.#createTopics();
    const group = (role: 'worker' | 'dispatcher', topic: string): SimGroup =>
      new SimGroup(
        this.time,
        random.fork(),
        this.broker.log.partitionsOf([topic]),
        this.broker.log.commitsOf(groupIds[role]),
        {
          sessionTimeoutMs,
          rebalanceTimeoutMs: sessionTimeoutMs,
          takesLateCommits: role === 'worker' && without.has('late-commits'),
          note: (line) => this.trace.note(`${role}s' group: ${line}`),
        },
        random.int(0, 5),
      );
    this.groups = {
      worker: group('worker', this.topics.deliveries),
      dispatcher: group('dispatcher', this.topics.events),
    };
    const commits = this.broker.log.commitsOf(groupIds.worker);
    for (const at of this.broker.log.partitionsOf([this.topics.deliveries])) {
      commits.set(partitionName(at), { offset: 0, metadata: firstCommitMetadata(this.delaysMs) });
    }
  }

  get delaysMs(): readonly number[] {
    return this.topics.retry.map(({ delayMs }) => delayMs);
  }

  count(name: Fault | Effect | 'repeatedEvent', by = 1): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + by);
  }

  alarm(text: string): void {
    this.alarms.push(text);
    this.trace.note(`ALARM ${text}`);
  }

  /** Someone who is not part of Posthorn appends. */
  write(record: OutgoingRecord): number {
    return this.broker.append([record])[0]?.offset ?? -1;
  }

  writeTenant(): void {
    const value = this.codecs.schema.platform.tenantConfig.encode({ tenantId: 'acme', name: 'acme', updatedAt: 0 });
    this.write({ topic: this.topics.endpoints, partition: 0, key: tenantKey('acme'), value });
  }

  writeEndpoint({ endpointId, config }: EndpointPlan, changes: Partial<EndpointConfig> = {}): void {
    const before = this.configs.get(endpointId);
    const next: EndpointConfig = {
      endpointId,
      tenantId: 'acme',
      url: `http://receiver.test/${endpointId}`,
      eventTypes: ['*'],
      state: 'active',
      secrets: [{ secretId: 's1', ciphertext: sealedSecretOf(endpointId), expiresAt: null }],
      maxInFlight: 4,
      timeoutMs: 3_000,
      retry: {
        kind: 'schedule',
        delaysMs: [1_000],
        jitter: 0,
        jitterKind: 'proportional',
        maxDelayMs: 60_000,
        baseMs: 0,
        factor: 1,
        maxAttempts: 0,
        maxTotalMs: null,
      },
      updatedAt: this.time.now(),
      onExhausted: 'skip',
      adaptiveConcurrency: false,
      circuit: null,
      resolutions: [],
      backfill: null,
      ...plainContent,
      ...noCredentials,
      ...withoutVerification,
      ...config,
      ...before,
      ...changes,
      revision: (before?.revision ?? 0) + 1,
    };
    // Whoever is paused gets all of it later: that changes nothing of what is promised.
    if (before !== undefined && changes.state === undefined) this.changed.add(endpointId);
    this.database.cursors.endpoints.add(endpointId);
    this.configs.set(endpointId, next);
    const value = this.codecs.schema.platform.endpointConfig.encode(next);
    this.write({ topic: this.topics.endpoints, partition: 0, key: endpointId, value });
  }

  /** As the api does it: cursors and endpoint are one transaction, and published afterwards. */
  createEndpoint(plan: EndpointPlan): void {
    const { endpointId, backfillFrom } = plan;
    if (backfillFrom === null) return this.writeEndpoint(plan);
    const run = `b_${endpointId}`;
    const positions = this.broker.log.partitionsOf([this.topics.events]).map((at) => {
      const position = Math.floor(this.broker.log.boundsOf(at).end * backfillFrom);
      this.database.cursors.backfill(at.partition, endpointId, run, position);
      return position;
    });
    this.backfills.set(endpointId, positions);
    this.count('backfilled');
    this.time.schedule(this.random.int(1, 500), () => this.writeEndpoint(plan, { backfill: run, state: 'active' }));
  }

  /** As the api does it: from a share of what is there to what is there, in new ids, and published afterwards. */
  createReplay({ replayId, endpointIds, from }: ReplayPlan): void {
    const named = endpointIds.filter((endpointId) => this.configs.has(endpointId) && !this.deletedAt.has(endpointId));
    const asked = { eventTypes: null, filter: null, selection: null, newIds: true, asConfigured: 'now' } as const;
    const of = { replayId, tenantId: 'acme', source: 'events', state: 'running', endpointIds: named } as const;
    for (const at of this.broker.log.partitionsOf([this.topics.events])) {
      const { end } = this.broker.log.boundsOf(at);
      const begin = Math.floor(end * from);
      const extent = { incarnation: 0, partition: at.partition, from: begin, to: end, position: begin };
      this.database.replays.add({ ...of, ...asked, ...extent, scanned: 0, matched: 0, sent: 0 });
    }
    this.count('replays');
    this.time.schedule(this.random.int(1, 500), () => this.writeReplay(replayId, 'running'));
  }

  writeReplay(replayId: string, state: ReplayState): void {
    this.replays.set(replayId, state);
    const record = { replayId, tenantId: 'acme', state, rateLimit: null, revision: 1, updatedAt: 0 };
    const value = this.codecs.schema.platform.replayConfig.encode(record);
    this.write({ topic: this.topics.endpoints, partition: 0, key: replayId, value });
  }

  deleteEndpoint(endpointId: string): void {
    this.changed.add(endpointId);
    this.deletedAt.set(endpointId, this.time.elapsed);
    this.database.cursors.endpoints.delete(endpointId);
    this.write({ topic: this.topics.endpoints, partition: 0, key: endpointId, value: null });
  }

  writeEvent(id: string, partition: number, key: string | null): void {
    this.write({
      topic: this.topics.events,
      partition,
      key: 'acme',
      value: this.codecs.avro(`Task ${id}`),
      headers: {
        'content-type': 'application/avro',
        ce_specversion: '1.0',
        ce_id: id,
        ce_source: '/projects',
        ce_type: 'task.updated',
        ...(key === null ? {} : { ce_subject: key }),
      },
    });
  }

  /** A worker has learnt that these stand in the log: what it then knows of its POSTs is theirs to be held to. */
  acknowledged(process: SimProcess, records: readonly OutgoingRecord[]): void {
    for (const { topic, value } of records) {
      if (topic !== this.topics.attempts || value === null) continue;
      const { webhookId, number, outcome, batch, final } = this.codecs.schema.platform.attempt.decode(value);
      if (number === 0 || outcome === 'started') continue;
      const id = batch?.id ?? webhookId;
      const post = this.receivers.posts.findLast((one) => one.webhookId === id && one.process === process.name);
      if (post === undefined) continue;
      if (batch === null || this.#isToldOfAll(post, batch, final)) post.acknowledgedAt ??= this.time.elapsed;
    }
  }

  /** Of a batch, each member has an Attempt of its own; those that were closed before have no further one. */
  #isToldOfAll(post: PostFact, { id, size, place }: NonNullable<Attempt['batch']>, final: boolean): boolean {
    const told = this.#told.get(post) ?? new Set(this.#closedPlaces.get(id));
    this.#told.set(post, told.add(place));
    if (final) this.#closedPlaces.set(id, new Set(this.#closedPlaces.get(id)).add(place));
    return told.size === size;
  }

  committed(process: SimProcess, commits: readonly PartitionCommit[], before: readonly (Committed | null)[]): void {
    commits.forEach((commit, nth) => {
      const { role, name } = process;
      const tenure =
        [...this.running].find((one) => one.process === process)?.membership?.tenureOf(commit.partition) ?? null;
      const retries = new Map<number, number>();
      let rest = '';
      if (role === 'worker') {
        const metadata = decodeCommitMetadata(commit.metadata ?? '');
        for (const [delayMs, { position }] of metadata.retries) retries.set(delayMs, position);
        const floors = metadata.floors.map((one) => `${one.sourcePartition}<${one.floor}`).join(' ');
        rest = `retries ${[...retries.values()].join()} a ${metadata.a} b ${metadata.b} floors ${floors || '-'}`;
      }
      const [from, to, at] = [before[nth]?.offset ?? 0, commit.offset, this.time.elapsed];
      this.commits.push({ group: role, process: name, tenure, partition: commit.partition, from, to, retries, at });
      this.trace.note(`${name} committed ${role}-${commit.partition} ${from} → ${to} ${rest}`);
    });
  }

  /** What should be at its end and is not. */
  behind(): Leftover['behind'] {
    const { log } = this.broker;
    const lines: { text: string; partition: number | null }[] = [];
    const events = log.commitsOf(groupIds.dispatcher);
    for (const at of log.partitionsOf([this.topics.events])) {
      const { end } = log.boundsOf(at);
      const done = events.get(partitionName(at))?.offset ?? 0;
      if (done < end) lines.push({ text: `events-${at.partition} ${done} of ${end}`, partition: null });
    }
    const deliveries = log.commitsOf(groupIds.worker);
    for (const at of log.partitionsOf([this.topics.deliveries])) {
      const { end } = log.boundsOf(at);
      const commit = deliveries.get(partitionName(at));
      const { partition } = at;
      const settled = commit?.offset ?? 0;
      if (settled < end) lines.push({ text: `deliveries-${partition} ${settled} of ${end}`, partition });
      const retries = commit === undefined ? null : decodeCommitMetadata(commit.metadata).retries;
      for (const { name, delayMs } of this.topics.retry) {
        const last = log.boundsOf({ topic: name, partition }).end;
        const position = retries?.get(delayMs)?.position ?? 0;
        if (position < last) lines.push({ text: `${name}-${partition} ${position} of ${last}`, partition });
      }
    }
    for (const [partition, rows] of this.database.cursors.rows) {
      for (const { endpointId, run, position } of rows.values()) {
        lines.push({ text: `cursor ${run} of ${endpointId} for events-${partition} at ${position}`, partition: null });
      }
    }
    for (const { part, done } of this.database.replays.rows.values()) {
      const { replayId, partition, position, to } = part;
      if (!done) lines.push({ text: `${replayId} for events-${partition} at ${position} of ${to}`, partition: null });
    }
    return lines;
  }

  #createTopics(): void {
    const { topics, scenario } = this;
    const { log } = this.broker;
    log.createTopic(topics.events, scenario.sourcePartitions);
    log.createTopic(topics.eventsRejected, scenario.sourcePartitions);
    for (const name of [
      topics.deliveries,
      topics.attempts,
      topics.deadLetters,
      ...topics.retry.map((one) => one.name),
    ]) {
      log.createTopic(name, scenario.deliveryPartitions);
    }
    log.createTopic(topics.endpoints, 1);
    log.createTopic(topics.endpointStatus, scenario.deliveryPartitions);
  }
}
