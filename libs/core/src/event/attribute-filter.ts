import { isAttributeName, type EventEnvelope } from './cloud-event.js';

/** Whether an event is wanted. */
export type AttributeFilter = (event: EventEnvelope) => boolean;

export interface FilterFault {
  /** JSON pointer (RFC 6901) into the filter. */
  readonly pointer: string;
  readonly code: 'wrong-type' | 'invalid' | 'unknown-dialect' | 'too-small' | 'too-big';
  readonly detail: string;
}

export type ParsedFilter =
  { readonly ok: true; readonly matches: AttributeFilter } | { readonly ok: false; readonly faults: FilterFault[] };

/** A filter comes from a customer and meets every event: it is cheap whatever it says. */
export const filterLimits = { depth: 8, expressions: 100, comparisons: 200, text: 1_000 } as const;

/**
 * Checks and compiles a filter of the CloudEvents Subscriptions API: `{"exact" | "prefix" | "suffix": {attribute: text}}`
 * (all entries must match), `{"all" | "any": [filter, …]}` (one or more), `{"not": filter}`; or an array of these, all of
 * which must match, and which may be empty. Attributes are compared, case-sensitive, in their canonical text (`true`, `42`);
 * one that the event lacks matches nothing. None of it reaches `data`.
 * @returns every fault, with its place
 */
export function parseAttributeFilter(filter: unknown): ParsedFilter {
  const parser = new FilterParser();
  const matches = Array.isArray(filter) ? parser.every(filter, '', 1) : parser.expression(filter, '', 1);
  return parser.faults.length === 0 ? { ok: true, matches } : { ok: false, faults: parser.faults };
}

const nothing: AttributeFilter = () => false;

type Compare = (value: string, wanted: string) => boolean;

const comparisons = new Map<string, Compare>([
  ['exact', (value, wanted) => value === wanted],
  ['prefix', (value, wanted) => value.startsWith(wanted)],
  ['suffix', (value, wanted) => value.endsWith(wanted)],
]);

class FilterParser {
  readonly faults: FilterFault[] = [];
  #expressions = 0;
  #comparisons = 0;

  expression(filter: unknown, at: string, depth: number): AttributeFilter {
    this.#expressions += 1;
    if (this.#expressions > filterLimits.expressions) {
      // Once is enough: what follows is not looked at.
      if (this.#expressions === filterLimits.expressions + 1)
        this.#fault(at, 'too-big', `At most ${filterLimits.expressions} expressions in all.`);
      return nothing;
    }
    if (depth > filterLimits.depth) return this.#fault(at, 'too-big', `At most ${filterLimits.depth} levels deep.`);
    if (!isObject(filter)) return this.#fault(at, 'wrong-type', 'Must be an object that names a dialect.');
    const [entry, ...others] = Object.entries(filter);
    if (entry === undefined || others.length > 0) {
      return this.#fault(at, 'invalid', 'Must have exactly one member: exact, prefix, suffix, all, any or not.');
    }
    const [dialect, operand] = entry;
    const below = `${at}/${escaped(dialect)}`;
    const compare = comparisons.get(dialect);
    if (compare !== undefined) return this.#attributes(operand, below, compare);
    if (dialect === 'not') {
      const inner = this.expression(operand, below, depth + 1);
      return (event) => !inner(event);
    }
    if (dialect === 'all' || dialect === 'any') return this.#several(dialect, operand, below, depth + 1);
    return this.#fault(below, 'unknown-dialect', 'Must be exact, prefix, suffix, all, any or not.');
  }

  every(filters: readonly unknown[], at: string, depth: number): AttributeFilter {
    const parsed = this.#each(filters, at, depth);
    return (event) => parsed.every((matches) => matches(event));
  }

  #several(dialect: 'all' | 'any', operand: unknown, at: string, depth: number): AttributeFilter {
    if (!Array.isArray(operand)) return this.#fault(at, 'wrong-type', 'Must be an array of filters.');
    if (operand.length === 0) return this.#fault(at, 'too-small', 'Must hold one filter or more.');
    if (dialect === 'all') return this.every(operand, at, depth);
    const parsed = this.#each(operand, at, depth);
    return (event) => parsed.some((matches) => matches(event));
  }

  #each(filters: readonly unknown[], at: string, depth: number): AttributeFilter[] {
    const parsed: AttributeFilter[] = [];
    for (const [i, filter] of filters.entries()) {
      if (this.#expressions > filterLimits.expressions) break;
      parsed.push(this.expression(filter, `${at}/${i}`, depth));
    }
    return parsed;
  }

  #attributes(operand: unknown, at: string, compare: Compare): AttributeFilter {
    if (!isObject(operand)) return this.#fault(at, 'wrong-type', 'Must map attributes to strings.');
    const wanted = Object.entries(operand);
    if (wanted.length === 0) return this.#fault(at, 'too-small', 'Must name one attribute or more.');
    const before = this.#comparisons;
    this.#comparisons += wanted.length;
    if (this.#comparisons > filterLimits.comparisons) {
      if (before > filterLimits.comparisons) return nothing;
      return this.#fault(at, 'too-big', `At most ${filterLimits.comparisons} attributes in all.`);
    }
    const texts = wanted.map(([name, text]) => [name, this.#text(name, text, `${at}/${escaped(name)}`)] as const);
    return (event) =>
      texts.every(([name, text]) => {
        const value = attributeOf(event, name);
        return value !== undefined && compare(value, text);
      });
  }

  #text(name: string, text: unknown, at: string): string {
    if (!isAttributeName(name)) this.#fault(at, 'invalid', 'Not the name of an attribute.');
    else if (typeof text !== 'string') this.#fault(at, 'wrong-type', 'Must be a string.');
    else if (text === '') this.#fault(at, 'too-small', 'Must not be empty.');
    else if (text.length > filterLimits.text)
      this.#fault(at, 'too-big', `At most ${filterLimits.text} characters are compared.`);
    // PostgreSQL, where filters are kept, takes neither.
    else if (text.includes('\0') || !text.isWellFormed())
      this.#fault(at, 'invalid', 'No attribute can hold this text.');
    else return text;
    return '';
  }

  #fault(pointer: string, code: FilterFault['code'], detail: string): AttributeFilter {
    this.faults.push({ pointer, code, detail });
    return nothing;
  }
}

/** Attributes that have a place of their own in the envelope. */
const known = new Set<string>([
  'id',
  'source',
  'type',
  'time',
  'subject',
  'tenantid',
  'partitionkey',
  'datacontenttype',
  'dataschema',
] satisfies (keyof EventEnvelope)[]);

/** In its canonical text (CloudEvents §3.1); undefined when the event lacks it. */
function attributeOf(event: EventEnvelope, name: string): string | undefined {
  if (known.has(name)) return event[name as 'id'];
  if (name === 'specversion') return '1.0';
  // An event's own: every object has a `constructor`.
  return Object.hasOwn(event.extensions, name) ? String(event.extensions[name]) : undefined;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const escaped = (name: string): string => name.slice(0, 64).replaceAll('~', '~0').replaceAll('/', '~1');
