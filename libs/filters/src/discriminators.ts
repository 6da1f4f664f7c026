import { attributeOf, type Discriminator, type FilterExpression, type JsonValue } from '#libs/core';
import type { CelExpression } from './cel/expression.js';
import type { FilterEvent } from './filter-event.js';
import type { Filters } from './parse-filters.js';

const dataPath = 'data.';

/**
 * What must be equal in an event that the filters match, for `SubscriptionIndex`: entries of their `exact`, and conjuncts
 * `attribute == "text"` and `data.x.y == "text"` of their CEL. A path is the name of an attribute, or `data.` and names with points
 * between them.
 */
export const discriminatorsOf = ({ expressions }: Filters): readonly Discriminator[] =>
  expressions.flatMap(ofExpression);

function ofExpression(expression: FilterExpression<CelExpression>): readonly Discriminator[] {
  switch (expression.dialect) {
    case 'exact':
      return expression.attributes.map(([path, value]) => ({ path, value }));
    case 'all':
      return expression.of.flatMap(ofExpression);
    case 'own':
      return expression.own.equalities;
    default:
      return [];
  }
}

/** What an event has at the path of a discriminator; undefined when nothing there could be equal to a text. */
export function discriminatingValue(event: FilterEvent, path: string): string | undefined {
  if (!path.startsWith(dataPath)) {
    const value = attributeOf(event.attributes, path);
    return value === undefined ? undefined : String(value);
  }
  let value: JsonValue | undefined = event.data;
  for (const name of path.slice(dataPath.length).split('.')) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, name))
      return undefined;
    value = (value as { readonly [name: string]: JsonValue })[name];
  }
  return typeof value === 'string' ? value : undefined;
}
