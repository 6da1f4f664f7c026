export { compileFilters, type CompiledFilters, type FilterResult } from './compile-filters.js';
export { discriminatingValue, discriminatorsOf } from './discriminators.js';
export { filterOf } from './filter-of.js';
export type { FilterEvent } from './filter-event.js';
export { parseFilters, type Filters, type ParsedFilters } from './parse-filters.js';
