import type { EventEnvelope, JsonValue } from '#libs/core';
import { compileFilters, type CompiledFilters, type FilterResult } from './compile-filters.js';
import type { FilterEvent } from './filter-event.js';
import { parseFilters, type Filters } from './parse-filters.js';

export const eventOf = (data: JsonValue, attributes: Partial<EventEnvelope> = {}): FilterEvent => ({
  attributes: { id: 'e-1', source: '/projects/p1', type: 'task.updated', extensions: {}, ...attributes },
  data,
});

/** Throws if there is a fault. */
export function filtersOf(json: unknown): Filters {
  const parsed = parseFilters(json);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults));
  return parsed.filters;
}

export const compiled = (json: unknown): CompiledFilters => compileFilters(filtersOf(json));

export const celResult = (cel: string, event: FilterEvent): FilterResult => compiled([{ cel }]).matches(event);

/** What a CEL expression says of an event: true, false, or that it cannot say it. */
export function said(cel: string, event: FilterEvent): boolean | 'error' {
  const { match, error } = celResult(cel, event);
  return error === null ? match : 'error';
}
