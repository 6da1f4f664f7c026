import type { Delivery } from '#libs/contracts';
import type { DispatchEndpoint } from '../dispatch-endpoint.js';

/** A record of a replay's source that somebody gets. */
export interface Candidate {
  readonly offset: number;
  /** Ascending. */
  readonly endpointIds: readonly string[];
}

/** What a replay sends to an endpoint, but for what it does not know of itself. */
export type ReplayedDelivery = Omit<Delivery, 'stream' | 'space' | 'incarnation' | 'sourcePartition' | 'floor'>;

/** What a replay re-consumes: one partition of events, or of dead letters. */
export interface ReplaySource<C extends Candidate = Candidate> {
  /** From where it stands. Throws `OffsetOutOfRange` when the log begins later. */
  peek(to: number): Promise<{ readonly candidates: readonly C[]; readonly end: number }>;
  /** What is made of a candidate for each of those endpoints; rejects while something that is needed cannot be had. */
  deliveries(
    chosen: readonly { readonly candidate: C; readonly endpoints: readonly DispatchEndpoint[] }[],
  ): Promise<readonly { readonly delivery: ReplayedDelivery; readonly endpoint: DispatchEndpoint }[]>;
  /** Dead letters (delivery ids) that are replayed by that. */
  replayed(chosen: readonly C[]): readonly string[];
  /** All below is stored as done. @returns how many records lay there since the last time */
  advance(position: number): number;
  close(): Promise<void>;
}
