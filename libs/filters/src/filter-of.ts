import type { EventFilter } from '#libs/core';
import { compileFilters } from './compile-filters.js';
import { discriminatorsOf } from './discriminators.js';
import { parseFilters } from './parse-filters.js';

const remembered = 10_000;
const known = new Map<string, EventFilter>();

/**
 * Filters from an endpoint's record, compiled; the same text is the same object, so that an event asks it once. Throws on a
 * text that is none: the API lets none such through.
 */
export function filterOf(text: string): EventFilter {
  const before = known.get(text);
  if (before !== undefined) return before;
  const parsed = parseFilters(JSON.parse(text));
  if (!parsed.ok) {
    const [fault] = parsed.faults;
    throw new Error(`its filters cannot be used: ${fault?.pointer ?? ''} ${fault?.detail ?? ''}`);
  }
  const compiled = compileFilters(parsed.filters);
  const filter: EventFilter = {
    readsData: compiled.readsData,
    discriminators: discriminatorsOf(parsed.filters),
    matches: (subject) => compiled.matches(subject),
  };
  if (known.size >= remembered) known.clear();
  known.set(text, filter);
  return filter;
}
