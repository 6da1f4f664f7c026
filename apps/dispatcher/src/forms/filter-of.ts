import { compileFilters, parseFilters } from '#libs/filters';
import type { EventFilter } from './content.js';

/** Filters from an endpoint's record, compiled. Throws on a text that is none: the API lets none such through. */
export function filterOf(text: string): EventFilter {
  const parsed = parseFilters(JSON.parse(text));
  if (parsed.ok) return compileFilters(parsed.filters);
  const [fault] = parsed.faults;
  throw new Error(`its filters cannot be used: ${fault?.pointer ?? ''} ${fault?.detail ?? ''}`);
}
