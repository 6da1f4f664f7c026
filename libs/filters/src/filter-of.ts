import type { EventFilter } from '#libs/core';
import { compileFilters } from './compile-filters.js';
import { discriminatorsOf } from './discriminators.js';
import { FilterMemory } from './filter-memory.js';
import { parseFilters } from './parse-filters.js';

/** Some 20,000 filters as they usually are. Endpoints hold theirs whether they are remembered here or not. */
const known = new FilterMemory<EventFilter>(64 * 1024 * 1024);

/**
 * Filters from an endpoint's record, compiled; the same text is the same object, so that an event asks it once, as long as
 * not too many others were asked for since. Throws on a text that is none: the API lets none such through.
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
  known.set(text, filter, compiled.bytes);
  return filter;
}
