import type { ReplayState } from '#libs/contracts';

/** One partition of a replay's source, with what is asked of it. */
export interface ReplayPart {
  /** `replay:<uuid>`, the stream of its deliveries. */
  readonly replayId: string;
  readonly tenantId: string;
  readonly source: 'events' | 'dead-letters';
  readonly state: ReplayState;
  readonly endpointIds: readonly string[];
  /** Patterns; null: whatever the endpoint wants. */
  readonly eventTypes: readonly string[] | null;
  /** CloudEvents Subscriptions filter (a JSON value that was checked); null: none. */
  readonly filter: unknown;
  /** Of dead letters; null: all. */
  readonly selection: DeadLetterSelection | null;
  readonly newIds: boolean;
  readonly asConfigured: 'now' | 'then';
  readonly incarnation: number;
  /** Of the source. */
  readonly partition: number;
  readonly from: number;
  readonly to: number;
  /** Everything below was sent and acknowledged, or is not wanted. */
  readonly position: number;
  readonly scanned: number;
  readonly matched: number;
  readonly sent: number;
}

interface DeadLetterSelection {
  readonly deliveryIds?: readonly string[];
  readonly reasons?: readonly string[];
  /** Given up at or after, and before; Unix ms. */
  readonly since?: number;
  readonly until?: number;
}

export interface ReplayCheckpoint {
  readonly replayId: string;
  readonly partition: number;
  readonly position: number;
  readonly scanned: number;
  readonly matched: number;
  readonly sent: number;
  /** The end record of its space stands in the log. */
  readonly done: boolean;
  /** Dead letters that were sent since the last checkpoint: they count as replayed by it. */
  readonly replayed: readonly string[];
}

/** What was wanted of an endpoint's events from a time on. */
export interface PastSubscription {
  readonly endpointId: string;
  /** Unix ms. */
  readonly since: number;
  /** Null: it was not active, or did not exist. */
  readonly eventTypes: readonly string[] | null;
}

/** Replays in PostgreSQL. Calls reject while it does not answer. */
export interface ReplayStore {
  /** What is not done of the source partitions that the owner of `events`-`ownedBy` moves; of one replay, if it is named. */
  parts(ownedBy: number, replayId?: string): Promise<readonly ReplayPart[]>;
  /**
   * One transaction under the epoch of `events`-`ownedBy` (see CursorStore), and repeatable as there.
   * @returns false when another owner has raised it: nothing was changed
   */
  checkpoint(ownedBy: number, epoch: number, at: ReplayCheckpoint): Promise<boolean>;
  /**
   * Those dead letters (delivery ids) that a replay may send: the projection knows the final Attempt that names them, they
   * were not discarded, and no other replay has sent them since.
   */
  openDeadLetters(replayId: string, deliveryIds: readonly string[]): Promise<ReadonlySet<string>>;
  /** Configurations of those endpoints over time, by endpoint and then by time. */
  pastSubscriptions(endpointIds: readonly string[]): Promise<readonly PastSubscription[]>;
}
