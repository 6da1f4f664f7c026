import { attributesPredicate, type FilterExpression } from '#libs/core';
import { Budget, WorkExceeded } from './cel/budget.js';
import type { Run } from './cel/evaluation.js';
import type { CelExpression } from './cel/expression.js';
import { Failure, typeName } from './cel/value.js';
import type { FilterEvent } from './filter-event.js';
import type { Filters } from './parse-filters.js';

export interface FilterResult {
  readonly match: boolean;
  /** Why the filters could not be evaluated: no match then. For people; of the event it holds no more than types. */
  readonly error: string | null;
  /** What it took, for whoever shares time out; `workLimit` at most, and none of it without CEL. */
  readonly steps: number;
}

/** Filters, ready for events. */
export interface CompiledFilters {
  readonly text: string;
  /** Whether `data` of an event is looked at. */
  readonly readsData: boolean;
  /** Memory that they take, about. */
  readonly bytes: number;
  matches(event: FilterEvent): FilterResult;
}

/** `filterOf` remembers them. */
export const compileFilters = (filters: Filters): CompiledFilters => new Compiled(filters);

/** Of filters without a text, and of each character of theirs, which their attributes are compared with. */
const [leastBytes, characterBytes] = [1_024, 4];

const matched: FilterResult = { match: true, error: null, steps: 0 };
const unmatched: FilterResult = { match: false, error: null, steps: 0 };

class Compiled implements CompiledFilters {
  readonly text: string;
  readonly readsData: boolean;
  readonly bytes: number;
  readonly #hasCel: boolean;
  readonly #decide: Decide;

  constructor({ text, expressions }: Filters) {
    this.text = text;
    const own = expressions.flatMap(ownOf);
    this.readsData = own.some(({ readsData }) => readsData);
    this.bytes = own.reduce((sum, { bytes }) => sum + bytes, leastBytes + characterBytes * text.length);
    this.#hasCel = own.length > 0;
    this.#decide = every(expressions.map(decider));
  }

  matches(event: FilterEvent): FilterResult {
    const run: Run = { event, budget: new Budget(), variables: [] };
    if (!this.#hasCel) return this.#decide(run) === true ? matched : unmatched;
    let decision: boolean | Failure;
    try {
      decision = this.#decide(run);
    } catch (error) {
      if (!(error instanceof WorkExceeded)) throw error;
      decision = new Failure(error.message);
    }
    const steps = run.budget.used;
    if (typeof decision === 'boolean') return { match: decision, error: null, steps };
    return { match: false, error: decision.message, steps };
  }
}

/** As in CEL itself: an error stays one, unless something else decides. */
type Decide = (run: Run) => boolean | Failure;

function decider(expression: FilterExpression<CelExpression>): Decide {
  switch (expression.dialect) {
    case 'exact':
    case 'prefix':
    case 'suffix': {
      const matches = attributesPredicate(expression.dialect, expression.attributes);
      return ({ event }) => matches(event.attributes);
    }
    case 'all':
      return every(expression.of.map(decider));
    case 'any':
      return some(expression.of.map(decider));
    case 'not': {
      const inner = decider(expression.of);
      return (run) => {
        const decision = inner(run);
        return typeof decision === 'boolean' ? !decision : decision;
      };
    }
    case 'own':
      return (run) => {
        const value = expression.own.evaluate(run);
        if (typeof value === 'boolean' || value instanceof Failure) return value;
        return new Failure(`The expression must say true or false, not ${typeName(value)}`);
      };
  }
}

const every = (parts: readonly Decide[]): Decide => decided(parts, false);
const some = (parts: readonly Decide[]): Decide => decided(parts, true);

function decided(parts: readonly Decide[], decisive: boolean): Decide {
  return (run) => {
    let wrong: Failure | null = null;
    for (const part of parts) {
      const decision = part(run);
      if (decision === decisive) return decisive;
      if (decision instanceof Failure) wrong ??= decision;
    }
    return wrong ?? !decisive;
  };
}

function ownOf(expression: FilterExpression<CelExpression>): readonly CelExpression[] {
  switch (expression.dialect) {
    case 'own':
      return [expression.own];
    case 'not':
      return ownOf(expression.of);
    case 'all':
    case 'any':
      return expression.of.flatMap(ownOf);
    default:
      return [];
  }
}
