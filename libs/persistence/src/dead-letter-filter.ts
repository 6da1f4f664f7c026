import { parseEventPattern } from '#libs/core';
import { Conditions } from './conditions.js';

/** `open`: nobody has done anything about it. `replayed`: sent again by a replay, as another delivery. */
export type DeadLetterState = 'open' | 'discarded' | 'replayed';

/** What is left out (or undefined) does not narrow. Times are Unix milliseconds of when it was given up. */
export interface DeadLetterFilter {
  readonly tenantId?: string | undefined;
  readonly endpointId?: string | undefined;
  readonly endpointIds?: readonly string[] | undefined;
  readonly deliveryIds?: readonly string[] | undefined;
  readonly eventType?: string | undefined;
  /** Patterns (`eventPatternFault`): one of them must match. */
  readonly eventTypes?: readonly string[] | undefined;
  readonly reason?: string | undefined;
  readonly reasons?: readonly string[] | undefined;
  /** Inclusive. */
  readonly from?: number | undefined;
  /** Exclusive. */
  readonly to?: number | undefined;
  readonly state?: DeadLetterState | undefined;
  /** Words, or beginnings of words, of the last error or the last HTTP status: all of them must be there. */
  readonly error?: string | undefined;
}

/** Cut into words by the server, as the indexed text is; null, which nothing matches, when there are none. */
export const wantedWords = (place: string): string => `to_tsquery('simple', nullif(regexp_replace(
  btrim(regexp_replace(${place}::text, '[^[:alnum:]]+', ' ', 'g')), ' ', ':* & ', 'g') || ':*', ':*'))`;
/** Of `l`, as its index says it. */
export const deadLetterWords = `to_tsvector('simple', regexp_replace(
  coalesce(l.last_status::text, '') || ' ' || coalesce(l.last_error, ''), '[^[:alnum:]]+', ' ', 'g'))`;

/**
 * A function of the database, so that it is one look into the index: the planner would rather cut every error into words
 * until a page is full, and a tenant's own query may not look there at all.
 */
const withError = (place: string): string =>
  `(d.delivery_id, d.accepted_at) IN (SELECT * FROM posthorn_dead_letters_with(${place}::text))`;

/**
 * The dead letters that count: those of deliveries with that status. `d` is the delivery, `l` what the dead-letters topic
 * says of it (its row may come a moment later), `r` what was done about it.
 */
export const deadLetters = /* sql */ `
deliveries d
LEFT JOIN dead_letters l ON l.delivery_id = d.delivery_id AND l.accepted_at = d.accepted_at
LEFT JOIN dead_letter_resolutions r ON r.delivery_id = d.delivery_id
`;

export function deadLetterConditions(filter: DeadLetterFilter): Conditions {
  const conditions = new Conditions();
  conditions.add(() => `d.status = 'dead-lettered'`);
  conditions.equal('d.tenant_id', filter.tenantId);
  conditions.equal('d.endpoint_id', filter.endpointId);
  conditions.equal('d.event_type', filter.eventType);
  conditions.equal('d.dead_letter_reason', filter.reason);
  conditions.oneOf('d.delivery_id', filter.deliveryIds);
  conditions.oneOf('d.endpoint_id', filter.endpointIds);
  conditions.oneOf('d.dead_letter_reason', filter.reasons);
  if (filter.eventTypes !== undefined) addPatterns(conditions, filter.eventTypes);
  if (filter.from !== undefined) conditions.add((place) => `d.completed_at >= ${place}`, new Date(filter.from));
  if (filter.to !== undefined) conditions.add((place) => `d.completed_at < ${place}`, new Date(filter.to));
  if (filter.state === 'open') conditions.add(() => 'r.delivery_id IS NULL');
  else conditions.equal('r.state', filter.state);
  if (filter.error !== undefined) conditions.add(withError, filter.error);
  return conditions;
}

function addPatterns(conditions: Conditions, texts: readonly string[]): void {
  const patterns = texts.map(parseEventPattern);
  if (patterns.some(({ kind }) => kind === 'any')) return;
  const exact = conditions.value(patterns.flatMap((one) => (one.kind === 'exact' ? [one.type] : [])));
  const below = conditions.value(patterns.flatMap((one) => (one.kind === 'below' ? [`${one.prefix}.`] : [])));
  conditions.add(() => `(d.event_type = ANY(${exact}::text[]) OR d.event_type ^@ ANY(${below}::text[]))`);
}
