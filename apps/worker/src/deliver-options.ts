import type { TopicNames } from '#libs/contracts';
import type { MasterKeys, TokenFailureReason } from '#libs/core';
import type { GroupMembership, LogFeed, LogReader, RecordSender, TopicAdministration } from '#libs/kafka';
import type { PlatformCodecs } from '#libs/schema-codec';
import type { BacklogBounds } from './backlog.js';
import type { Clock } from './clock.js';
import type { PartitionMetrics } from './held-partitions.js';
import type { Lanes } from './lanes.js';
import type { OutcomeMetrics } from './outcomes.js';
import type { Http } from './posting.js';
import type { Without } from './rules.js';

interface DeliverMetrics extends OutcomeMetrics, PartitionMetrics {
  inFlight(count: number): void;
  lanes(counts: ReturnType<Lanes['stats']>): void;
  /** An authorization server was asked for a token: it gave one, or why there is none. */
  tokenFetched(result: 'token' | TokenFailureReason): void;
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
  readonly reader: LogReader;
  readonly administration: Pick<TopicAdministration, 'committed' | 'deleteRecordsBefore'>;
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
  /** Whose commits tell the floors of idle source partitions. */
  readonly dispatcherGroupId: string;
  readonly masterKeys: MasterKeys;
  readonly maxInFlight: number;
  readonly laneRecords: number;
  readonly laneBytes: number;
  /** Default: 50,000 records, 96 MiB; reading pauses at twice as much. */
  readonly backlog?: BacklogBounds;
  /** Outstanding deliveries that a worker knows of, most of them in retry topics: beyond it reading pauses. Default 400,000. */
  readonly maxOutstanding?: number;
  /** Of one partition, likewise. Default 200,000. */
  readonly partitionMaxOutstanding?: number;
  /** Of one endpoint, beyond which the rest waits in longer turns. Default 10,000. */
  readonly endpointMaxOutstanding?: number;
  /** Default 250. */
  readonly commitEveryMs?: number;
  /** Default 60,000. */
  readonly trimEveryMs?: number;
  /** Default 30,000. */
  readonly idleSpacesEveryMs?: number;
  /** What has waited so long in a lane is appended anew. Default 60,000. */
  readonly secureAfterMs?: number;
  /** How often it is told how endpoints stand. Default 1,000. */
  readonly statusEveryMs?: number;
  /** Of metrics. Default 1,000. */
  readonly reportEveryMs?: number;
  /** For the simulation only. */
  readonly without?: Without;
}

/** How many deliveries may be outstanding of an endpoint, in a partition, in all partitions of a worker. */
export const outstandingBoundsOf = (options: DeliverOptions) => ({
  endpoint: options.endpointMaxOutstanding ?? 10_000,
  partition: options.partitionMaxOutstanding ?? 200_000,
  worker: options.maxOutstanding ?? 400_000,
});
