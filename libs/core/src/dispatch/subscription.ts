/** What an event must have for an endpoint to want it: this text at this place. */
export interface Discriminator {
  /** What events are asked with. */
  readonly path: string;
  readonly value: string;
}

/** What the index needs of an endpoint; what else it holds comes back with the match. */
export interface Subscription {
  readonly endpointId: string;
  readonly tenantId: string;
  /** Valid patterns (`eventPatternFault`). */
  readonly eventTypes: readonly string[];
  /** An event that lacks one of these is not wanted, whatever the filters say; none: every event of the types may be. */
  readonly discriminators?: readonly Discriminator[] | undefined;
}

export const byEndpointId = (a: Subscription, b: Subscription): number => (a.endpointId < b.endpointId ? -1 : 1);
