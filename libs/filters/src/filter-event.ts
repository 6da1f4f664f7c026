import type { EventEnvelope, JsonValue } from '#libs/core';

/** What filters look at. */
export interface FilterEvent {
  /** An envelope may be given as it is. */
  readonly attributes: Omit<EventEnvelope, 'data'>;
  /** As JSON, in the version that the endpoint gets. Only read where an expression asks for it: it may be a getter. */
  readonly data: JsonValue;
}
