import { isAttributeName, type EventEnvelope, type ExtensionValue } from './cloud-event.js';

/** Whether an event is wanted. */
export type AttributeFilter = (event: EventEnvelope) => boolean;

/** Where in a text of its own language a fault stands; `index` from 0 in UTF-16 units, `line` and `column` from 1. */
export interface TextPosition {
  readonly index: number;
  readonly line: number;
  readonly column: number;
}

export interface FilterFault {
  /** JSON pointer (RFC 6901) into the filter. */
  readonly pointer: string;
  readonly code: 'wrong-type' | 'invalid' | 'unknown-dialect' | 'too-small' | 'too-big' | 'syntax' | 'type-mismatch';
  readonly detail: string;
  readonly position?: TextPosition;
}

/** A filter that was checked. `Own` is what a further dialect makes of its operand. */
export type FilterExpression<Own = never> =
  | {
      readonly dialect: AttributeDialect;
      /** Attribute and text, as they were given. */
      readonly attributes: readonly (readonly [name: string, text: string])[];
    }
  | { readonly dialect: 'all' | 'any'; readonly of: readonly FilterExpression<Own>[] }
  | { readonly dialect: 'not'; readonly of: FilterExpression<Own> }
  | { readonly dialect: 'own'; readonly own: Own };

export type AttributeDialect = 'exact' | 'prefix' | 'suffix';

/** A dialect beside those of CloudEvents; it may stand wherever one of theirs may. */
export interface OwnDialect<Own> {
  readonly name: string;
  /** Pointers of faults are relative to the operand. */
  parse(
    operand: unknown,
  ): { readonly ok: true; readonly own: Own } | { readonly ok: false; readonly faults: readonly FilterFault[] };
}

export type ParsedExpressions<Own> =
  | { readonly ok: true; readonly expressions: readonly FilterExpression<Own>[] }
  | { readonly ok: false; readonly faults: readonly FilterFault[] };

export type ParsedFilter =
  | { readonly ok: true; readonly matches: AttributeFilter }
  | { readonly ok: false; readonly faults: readonly FilterFault[] };

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
  const parser = new FilterParser<never>(null);
  const expressions = Array.isArray(filter) ? parser.each(filter, '', 1) : [parser.expression(filter, '', 1)];
  if (parser.faults.length > 0) return { ok: false, faults: parser.faults };
  const parts = expressions.flatMap((one) => (one === null ? [] : [predicateOf(one)]));
  return { ok: true, matches: (event) => parts.every((matches) => matches(event)) };
}

/** An array of filters as above, and of a dialect beside them: not compiled, for callers that evaluate it themselves. */
export function parseFilterExpressions<Own>(filters: readonly unknown[], own: OwnDialect<Own>): ParsedExpressions<Own> {
  const parser = new FilterParser(own);
  const expressions = parser.each(filters, '', 1).filter((one) => one !== null);
  return parser.faults.length === 0 ? { ok: true, expressions } : { ok: false, faults: parser.faults };
}

/** Whether the attributes compare as the dialect says. */
export function attributesPredicate(
  dialect: AttributeDialect,
  attributes: readonly (readonly [name: string, text: string])[],
): (event: Omit<EventEnvelope, 'data'>) => boolean {
  const compare = comparisons[dialect];
  return (event) =>
    attributes.every(([name, text]) => {
      const value = attributeOf(event, name);
      return value !== undefined && compare(String(value), text);
    });
}

function predicateOf(expression: FilterExpression): AttributeFilter {
  switch (expression.dialect) {
    case 'exact':
    case 'prefix':
    case 'suffix':
      return attributesPredicate(expression.dialect, expression.attributes);
    case 'all':
    case 'any': {
      const parts = expression.of.map(predicateOf);
      if (expression.dialect === 'any') return (event) => parts.some((matches) => matches(event));
      return (event) => parts.every((matches) => matches(event));
    }
    case 'not': {
      const inner = predicateOf(expression.of);
      return (event) => !inner(event);
    }
    case 'own':
      return expression.own;
  }
}

type Compare = (value: string, wanted: string) => boolean;

const comparisons: Readonly<Record<AttributeDialect, Compare>> = {
  exact: (value, wanted) => value === wanted,
  prefix: (value, wanted) => value.startsWith(wanted),
  suffix: (value, wanted) => value.endsWith(wanted),
};

/** Its methods return null where they noted a fault. */
class FilterParser<Own> {
  readonly faults: FilterFault[] = [];
  readonly #own: OwnDialect<Own> | null;
  readonly #dialects: string;
  #expressions = 0;
  #comparisons = 0;

  constructor(own: OwnDialect<Own> | null) {
    this.#own = own;
    this.#dialects =
      own === null ? 'exact, prefix, suffix, all, any or not' : `exact, prefix, suffix, all, any, not or ${own.name}`;
  }

  expression(filter: unknown, at: string, depth: number): FilterExpression<Own> | null {
    this.#expressions += 1;
    if (this.#expressions > filterLimits.expressions) {
      // Once is enough: what follows is not looked at.
      if (this.#expressions === filterLimits.expressions + 1)
        this.#fault(at, 'too-big', `At most ${filterLimits.expressions} expressions in all.`);
      return null;
    }
    if (depth > filterLimits.depth) return this.#fault(at, 'too-big', `At most ${filterLimits.depth} levels deep.`);
    if (!isObject(filter)) return this.#fault(at, 'wrong-type', 'Must be an object that names a dialect.');
    const [entry, ...others] = Object.entries(filter);
    if (entry === undefined || others.length > 0) {
      return this.#fault(at, 'invalid', `Must have exactly one member: ${this.#dialects}.`);
    }
    const [dialect, operand] = entry;
    const below = `${at}/${escaped(dialect)}`;
    if (dialect === 'exact' || dialect === 'prefix' || dialect === 'suffix')
      return this.#attributes(dialect, operand, below);
    if (dialect === 'not') {
      const of = this.expression(operand, below, depth + 1);
      return of === null ? null : { dialect, of };
    }
    if (dialect === 'all' || dialect === 'any') return this.#several(dialect, operand, below, depth + 1);
    if (dialect === this.#own?.name) return this.#owned(this.#own, operand, below);
    return this.#fault(below, 'unknown-dialect', `Must be ${this.#dialects}.`);
  }

  each(filters: readonly unknown[], at: string, depth: number): (FilterExpression<Own> | null)[] {
    const parsed: (FilterExpression<Own> | null)[] = [];
    for (const [i, filter] of filters.entries()) {
      if (this.#expressions > filterLimits.expressions) break;
      parsed.push(this.expression(filter, `${at}/${i}`, depth));
    }
    return parsed;
  }

  #several(dialect: 'all' | 'any', operand: unknown, at: string, depth: number): FilterExpression<Own> | null {
    if (!Array.isArray(operand)) return this.#fault(at, 'wrong-type', 'Must be an array of filters.');
    if (operand.length === 0) return this.#fault(at, 'too-small', 'Must hold one filter or more.');
    return { dialect, of: this.each(operand, at, depth).filter((one) => one !== null) };
  }

  #owned(own: OwnDialect<Own>, operand: unknown, at: string): FilterExpression<Own> | null {
    const parsed = own.parse(operand);
    if (parsed.ok) return { dialect: 'own', own: parsed.own };
    this.faults.push(...parsed.faults.map((fault) => ({ ...fault, pointer: `${at}${fault.pointer}` })));
    return null;
  }

  #attributes(dialect: AttributeDialect, operand: unknown, at: string): FilterExpression<Own> | null {
    if (!isObject(operand)) return this.#fault(at, 'wrong-type', 'Must map attributes to strings.');
    const wanted = Object.entries(operand);
    if (wanted.length === 0) return this.#fault(at, 'too-small', 'Must name one attribute or more.');
    const before = this.#comparisons;
    this.#comparisons += wanted.length;
    if (this.#comparisons > filterLimits.comparisons) {
      if (before > filterLimits.comparisons) return null;
      return this.#fault(at, 'too-big', `At most ${filterLimits.comparisons} attributes in all.`);
    }
    return {
      dialect,
      attributes: wanted.map(([name, text]) => [name, this.#text(name, text, `${at}/${escaped(name)}`)] as const),
    };
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

  #fault(pointer: string, code: FilterFault['code'], detail: string): null {
    this.faults.push({ pointer, code, detail });
    return null;
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

/** The value of an attribute, `specversion` and extensions among them; undefined when the event lacks it. */
export function attributeOf(event: Omit<EventEnvelope, 'data'>, name: string): ExtensionValue | undefined {
  if (known.has(name)) return event[name as 'id'];
  if (name === 'specversion') return '1.0';
  // An event's own: every object has a `constructor`.
  return Object.hasOwn(event.extensions, name) ? event.extensions[name] : undefined;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const escaped = (name: string): string => name.slice(0, 64).replaceAll('~', '~0').replaceAll('/', '~1');
