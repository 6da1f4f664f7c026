import type { EndpointConfig, Ordering } from '#libs/contracts';

/** A process's unbroken hold of a partition, as the group and its lease had it. All times are ms since the start. */
export interface Tenure {
  readonly process: string;
  readonly group: 'worker' | 'dispatcher';
  readonly partition: number;
  readonly generation: number;
  readonly from: number;
  /** When the right ended: crash, JoinGroup that lost it, or the end of the lease. Infinity: it lasts. */
  until: number;
}

/** A POST, as both sides know of it. */
export interface PostFact {
  readonly tenure: Tenure | null;
  readonly process: string;
  readonly endpointId: string;
  /** Of its event, or of its batch. */
  readonly webhookId: string;
  readonly body: string;
  /** The webhook-ids of the events in it, in their order: its own, or those that its batch's record tells. */
  readonly carries: readonly string[];
  /** When the worker handed it over. */
  readonly at: number;
  /** When the receiver got it; null: never. */
  arrivedAt: number | null;
  /** What the receiver answered, and when; null: it has not. */
  status: number | null;
  answeredAt: number | null;
  /** When the worker learnt of a failure; null: it has not, or it was a success. */
  failedAt: number | null;
  /** When the worker knew that the Attempt that tells of it stands in the log; null: never. */
  acknowledgedAt: number | null;
}

/** A delivery as it stood in `deliveries`; a repeated append is another one, with the same id. */
export interface DeliveryFact {
  readonly id: string;
  readonly webhookId: string;
  readonly endpointId: string;
  readonly stream: string;
  readonly partition: number;
  readonly pos: number;
  readonly sourcePartition: number;
  readonly sourceOffset: number;
  /** Of a catch-up; empty for live dispatch. */
  readonly space: string;
  readonly ordering: Ordering;
  readonly orderingKey: string | null;
  /** It stands behind the end record of its space: whoever reads it takes it for a repeat. */
  readonly afterEnd: boolean;
  readonly by: Tenure | null;
}

export interface AttemptFact {
  readonly id: string;
  readonly number: number;
  readonly outcome: string;
  readonly final: boolean;
  /** Ms since the start: when it began, and when the next is due. */
  readonly startedAt: number;
  readonly dueAt: number | null;
  readonly at: number;
}

/** A copy in a retry topic; of a batch, one for each of its members. */
export interface CopyFact {
  readonly id: string;
  readonly attempt: number;
  readonly dueAt: number | null;
  readonly at: number;
}

/** A batch as it was first written down. */
export interface BatchFact {
  readonly webhookId: string;
  readonly endpointId: string;
  readonly stream: string;
  readonly members: readonly {
    readonly id: string;
    readonly webhookId: string;
    readonly pos: number;
    readonly body: string;
  }[];
  readonly at: number;
}

/** A commit that the group took. */
export interface CommitFact {
  readonly group: 'worker' | 'dispatcher';
  readonly process: string;
  readonly tenure: Tenure | null;
  readonly partition: number;
  readonly from: number;
  readonly to: number;
  /** Retry positions in its metadata, by delay. Empty for dispatchers. */
  readonly retries: ReadonlyMap<number, number>;
  readonly at: number;
}

/** An event as it stands in `events`; `repeat`: one of the same id stands before it. */
export interface EventFact {
  readonly partition: number;
  readonly offset: number;
  readonly id: string;
  readonly repeat: boolean;
}

export interface EndpointFact {
  readonly endpointId: string;
  readonly partition: number;
  /** Whether it was there, unchanged but for pauses, from its beginning to the end. */
  readonly stable: boolean;
  /** Where it began, by source partition, if it began in the past; null: before the first event. */
  readonly beginsAt: readonly number[] | null;
  readonly deletedAt: number | null;
  readonly rateLimit: EndpointConfig['rateLimit'];
}

/** A window of a source partition that was to be sent again. */
interface ReplayFact {
  readonly replayId: string;
  readonly partition: number;
  readonly from: number;
  readonly to: number;
  readonly endpointIds: readonly string[];
  readonly cancelled: boolean;
}

/** What is left when all should be done. */
export interface Leftover {
  /** Positions that never got to their ends. `partition`: of the workers; null for a dispatcher's. */
  readonly behind: readonly { readonly text: string; readonly partition: number | null }[];
}

/** Everything that happened in one run, as the log, the receivers and the group saw it; never Posthorn's own counters. */
export interface Evidence {
  readonly events: readonly EventFact[];
  readonly endpoints: readonly EndpointFact[];
  readonly replays: readonly ReplayFact[];
  readonly deliveries: readonly DeliveryFact[];
  readonly attempts: readonly AttemptFact[];
  readonly copies: readonly CopyFact[];
  readonly batches: readonly BatchFact[];
  /** Ids in dead letters. */
  readonly deadLetters: readonly { readonly id: string; readonly at: number }[];
  readonly posts: readonly PostFact[];
  readonly tenures: readonly Tenure[];
  readonly commits: readonly CommitFact[];
  readonly leftover: Leftover;
  /** What processes said as errors, and what went unhandled. */
  readonly alarms: readonly string[];
  /** No fault was injected, and every endpoint answers soon: retries must be on time. */
  readonly calm: boolean;
}

export type ViolationKind =
  'loss' | 'order' | 'duplicate' | 'rate' | 'due' | 'batch' | 'alarm' | 'commit' | 'pending' | 'lease';

export interface Violation {
  readonly kind: ViolationKind;
  readonly text: string;
}
