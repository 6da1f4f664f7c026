/** The one place for topics: names, keys, partition counts and settings (DESIGN §2). */

const day = 86_400_000;

/** Retry topics with their delay, shortest first: the wheels of the timing wheel. */
export const retryDelays = [
  { suffix: '5s', delayMs: 5_000 },
  { suffix: '30s', delayMs: 30_000 },
  { suffix: '5m', delayMs: 300_000 },
  { suffix: '30m', delayMs: 1_800_000 },
  { suffix: '2h', delayMs: 7_200_000 },
  { suffix: '12h', delayMs: 43_200_000 },
] as const;

export interface RetryTopic {
  readonly name: string;
  readonly delayMs: number;
}

export interface TopicNames {
  readonly events: string;
  readonly eventsRejected: string;
  readonly deliveries: string;
  readonly retry: readonly RetryTopic[];
  readonly attempts: string;
  readonly deadLetters: string;
  readonly endpoints: string;
  readonly endpointStatus: string;
  readonly audit: string;
}

/** Consumer groups, one per app that shares work. */
export interface GroupNames {
  readonly dispatcher: string;
  readonly worker: string;
  readonly projector: string;
}

/** @param prefix `posthorn` in production; tests use one of their own. */
export function topicNames(prefix: string): TopicNames {
  return {
    events: `${prefix}.events`,
    eventsRejected: `${prefix}.events.rejected`,
    deliveries: `${prefix}.deliveries`,
    retry: retryDelays.map(({ suffix, delayMs }) => ({ name: `${prefix}.retry.${suffix}`, delayMs })),
    attempts: `${prefix}.attempts`,
    deadLetters: `${prefix}.dead-letters`,
    endpoints: `${prefix}.endpoints`,
    endpointStatus: `${prefix}.endpoint-status`,
    audit: `${prefix}.audit`,
  };
}

export function groupNames(prefix: string): GroupNames {
  return { dispatcher: `${prefix}.dispatcher`, worker: `${prefix}.worker`, projector: `${prefix}.projector` };
}

export interface TopicLayout {
  readonly prefix: string;
  /** Partitions of `events`. */
  readonly eventPartitions: number;
  /** Partitions of `deliveries`, the retry topics and `attempts`, which are co-partitioned, and of `dead-letters`. */
  readonly deliveryPartitions: number;
  readonly replicationFactor: number;
  readonly minInSyncReplicas: number;
  /** Largest record batch that the topics take, in bytes. */
  readonly maxMessageBytes: number;
}

export interface TopicSpec {
  readonly name: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly config: Readonly<Record<string, string>>;
}

/** Every topic with its settings, as `posthorn topics create` makes it. */
export function topicSpecs(layout: TopicLayout): readonly TopicSpec[] {
  const names = topicNames(layout.prefix);
  const common = {
    'message.timestamp.type': 'LogAppendTime',
    'min.insync.replicas': String(layout.minInSyncReplicas),
    'unclean.leader.election.enable': 'false',
    'max.message.bytes': String(layout.maxMessageBytes),
  };
  const topic = (name: string, partitions: number, config: Record<string, string>): TopicSpec => ({
    name,
    partitions,
    replicationFactor: layout.replicationFactor,
    config: { ...common, ...config },
  });
  const kept = (ms: number) => ({ 'cleanup.policy': 'delete', 'retention.ms': String(ms) });
  const untilSettled = { 'cleanup.policy': 'delete', 'retention.ms': '-1', 'retention.bytes': '-1' };
  const compacted = { 'cleanup.policy': 'compact' };
  const shared = layout.deliveryPartitions;
  return [
    topic(names.events, layout.eventPartitions, kept(30 * day)),
    topic(names.eventsRejected, layout.eventPartitions, kept(30 * day)),
    topic(names.deliveries, shared, untilSettled),
    ...names.retry.map(({ name }) => topic(name, shared, untilSettled)),
    topic(names.attempts, shared, kept(30 * day)),
    topic(names.deadLetters, shared, kept(90 * day)),
    // One partition, so that a configuration version is one offset.
    topic(names.endpoints, 1, compacted),
    topic(names.endpointStatus, shared, compacted),
    topic(names.audit, 1, kept(365 * day)),
  ];
}

/** Key of a tenant's record in `endpoints`. */
export const tenantKey = (tenantId: string): string => `tenant:${tenantId}`;

/** Begin of the id of a replay, which is the stream of its deliveries and the key of its record in `endpoints`. */
export const replayPrefix = 'replay:';

/** Begin of the key of a transformation's record in `endpoints`. */
export const transformationPrefix = 'transformation:';

/** Begin of the outbox's name of an entry of the audit log, which goes to a topic of its own: `audit:<seq>:<tenant id>`. */
export const auditPrefix = 'audit:';
