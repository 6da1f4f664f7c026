import type { EventFilter } from '#libs/core';
import { compileFilters, type CompiledFilters } from './compile-filters.js';
import { discriminatorsOf } from './discriminators.js';
import { FilterMemory } from './filter-memory.js';
import { parseFilters, type Filters } from './parse-filters.js';

/** Some 20,000 filters as they usually are. Endpoints hold theirs whether they are remembered here or not. */
const known = new FilterMemory<EventFilter>(64 * 1024 * 1024);

/**
 * Filters from an endpoint's record; the same text is the same object, so that an event asks it once, as long as not too many
 * others were asked for since. Compiled when they are first asked: most of very many are never, since discriminators tell
 * that they need not be, and what is not in memory costs no garbage collection either. Throws on a text that is none: the
 * API lets none such through.
 */
export function filterOf(text: string): EventFilter {
  const before = known.get(text);
  if (before !== undefined) return before;
  const parsed = parsedOf(text);
  const { readsData, bytes } = compileFilters(parsed);
  let compiled: CompiledFilters | null = null;
  const filter: EventFilter = {
    readsData,
    discriminators: discriminatorsOf(parsed),
    matches(subject) {
      compiled ??= compileFilters(parsedOf(text));
      return compiled.matches(subject);
    },
  };
  known.set(text, filter, bytes);
  return filter;
}

function parsedOf(text: string): Filters {
  const parsed = parseFilters(JSON.parse(text));
  if (parsed.ok) return parsed.filters;
  const [fault] = parsed.faults;
  throw new Error(`its filters cannot be used: ${fault?.pointer ?? ''} ${fault?.detail ?? ''}`);
}
