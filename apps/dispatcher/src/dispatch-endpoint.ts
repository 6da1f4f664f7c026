import type { EndpointOrdering, EndpointState } from '#libs/contracts';
import type { Content, EventEnvelope, Subscription, VersionChoice } from '#libs/core';

/** What dispatching needs of an endpoint, whatever its state: until its cursor is stored a paused one is dispatched to. */
export interface DispatchEndpoint extends Subscription {
  readonly ordering: EndpointOrdering;
  readonly state: EndpointState;
  /** Run of the cursors that it was created with; null: it began live. */
  readonly backfill: string | null;
  /** Offset of its record in posthorn.endpoints. */
  readonly configVersion: number;
  /** Of posthorn.deliveries. */
  readonly partition: number;
  readonly content: Content;
}

/** What an event is told apart by. */
export interface DiscriminatedEvent {
  readonly envelope: Pick<EventEnvelope, 'type'>;
  /** Null: that cannot be said (yet). */
  valuesAt(path: string, choices: readonly VersionChoice[]): readonly string[] | null;
}

/** Who wants an event, as the configuration stands. */
export interface Subscribers {
  hasTenant(tenantId: string): boolean;
  match(tenantId: string, type: string): readonly DispatchEndpoint[];
  /** Those of `match` whose filters may let it through; the filters themselves decide. */
  candidates(tenantId: string, event: DiscriminatedEvent): readonly DispatchEndpoint[];
}

/** Who follows a source partition live. */
export interface LiveFilter {
  /** Nobody has to be asked for. */
  readonly allLive: boolean;
  isLive(endpoint: DispatchEndpoint, offset: number): boolean;
}
