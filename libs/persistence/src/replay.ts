import type { RateLimit, ReplayState } from '#libs/contracts';

/** Which dead letters are meant. What is left out does not narrow. */
export interface DeadLetterSelection {
  readonly deliveryIds?: readonly string[];
  readonly reasons?: readonly string[];
  /** Given up at or after, and before; Unix ms. */
  readonly since?: number;
  readonly until?: number;
  /** As in `DeadLetterFilter`. */
  readonly error?: string;
}

/** What part of the log is asked for: times of appending (Unix ms), or offsets, `to` exclusive. */
export type ReplayWindow =
  { readonly from: number | null; readonly to: number | null } | { readonly partitions: readonly PartitionWindow[] };

export interface PartitionWindow {
  readonly partition: number;
  readonly from: number;
  readonly to: number;
}

/** What the log had lost of the window when the replay was created. */
export interface ReplayGap {
  /** Null: not known in which. */
  readonly partition: number | null;
  /** Null: not known how many; then within that time (Unix ms). */
  readonly records: number | null;
  readonly from: number | null;
  readonly until: number | null;
}

/** A partition of a replay's source, and how far the replay is there. */
export interface ReplayPartition extends PartitionWindow {
  readonly incarnation: number;
  /** Everything below was sent and acknowledged, or is not wanted. */
  readonly position: number;
  readonly scanned: number;
  readonly matched: number;
  readonly sent: number;
  /** All of it was sent. */
  readonly done: boolean;
}

interface ReplayRequest {
  /** `replay:<uuid>` */
  readonly replayId: string;
  readonly tenantId: string;
  readonly source: 'events' | 'dead-letters';
  readonly endpointIds: readonly string[];
  /** Patterns; null: whatever the endpoint wants. */
  readonly eventTypes: readonly string[] | null;
  /** A filter as `parseAttributeFilter` takes it; null: none. */
  readonly filter: unknown;
  /** Of dead letters; null: all. */
  readonly selection: DeadLetterSelection | null;
  /** Of each endpoint; null: none. */
  readonly rateLimit: RateLimit | null;
  readonly newIds: boolean;
  readonly asConfigured: 'now' | 'then';
  readonly window: ReplayWindow;
  readonly gaps: readonly ReplayGap[];
  readonly description: string;
}

export interface NewReplay extends ReplayRequest {
  readonly partitions: readonly (PartitionWindow & {
    readonly incarnation: number;
    /** The partition of events whose owner moves it. */
    readonly ownedBy: number;
  })[];
}

/** A replay and its progress. Times are Unix milliseconds. */
export interface Replay extends ReplayRequest {
  readonly state: ReplayState;
  readonly partitions: readonly ReplayPartition[];
  readonly outcomes: ReplayOutcomes;
  readonly revision: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** When the last of it had its final outcome; null: not yet. */
  readonly finishedAt: number | null;
}

/** How its deliveries have ended, as far as it is projected. */
export interface ReplayOutcomes {
  readonly delivered: number;
  readonly failed: number;
  readonly dropped: number;
  /** Of all these, in the last minute. */
  readonly recent: number;
}

export type ReplayChange =
  | { readonly outcome: 'changed'; readonly replay: Replay }
  /** It was so already. */
  | { readonly outcome: 'unchanged'; readonly replay: Replay }
  | { readonly outcome: 'not-found' }
  /** It is another than the caller has seen. */
  | { readonly outcome: 'unexpected'; readonly replay: Replay }
  /** It was cancelled, or all of it has its outcome. */
  | { readonly outcome: 'ended'; readonly replay: Replay };
