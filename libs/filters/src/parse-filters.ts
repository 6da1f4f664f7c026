import { parseFilterExpressions, type FilterExpression, type FilterFault } from '#libs/core';
import { celDialect, type CelExpression } from './cel/expression.js';

/** UTF-8 bytes of the JSON text. */
export const maxFilterBytes = 16_384;

/** Filters that were checked; all must match. */
export interface Filters {
  readonly expressions: readonly FilterExpression<CelExpression>[];
  /** Their JSON, written in one way whatever spaces it had. */
  readonly text: string;
}

export type ParsedFilters =
  { readonly ok: true; readonly filters: Filters } | { readonly ok: false; readonly faults: readonly FilterFault[] };

/**
 * Checks an array of filters: the dialects of CloudEvents Subscriptions (`parseAttributeFilter`), and wherever one of them may
 * stand `{"cel": "<expression>"}` (docs/filters.md). An empty array lets every event through.
 * @returns every fault with its JSON pointer into the array, and where in a CEL expression it stands
 */
export function parseFilters(json: unknown): ParsedFilters {
  if (!Array.isArray(json)) return refused('wrong-type', 'Must be an array of filters.');
  const parsed = parseFilterExpressions<CelExpression>(json, celDialect());
  if (!parsed.ok) return parsed;
  const text = JSON.stringify(parsed.expressions.map(jsonOf));
  if (Buffer.byteLength(text) > maxFilterBytes) return refused('too-big', `At most ${maxFilterBytes} bytes in all.`);
  return { ok: true, filters: { expressions: parsed.expressions, text } };
}

const refused = (code: FilterFault['code'], detail: string): ParsedFilters => ({
  ok: false,
  faults: [{ pointer: '', code, detail }],
});

function jsonOf(expression: FilterExpression<CelExpression>): unknown {
  switch (expression.dialect) {
    case 'exact':
    case 'prefix':
    case 'suffix':
      return { [expression.dialect]: Object.fromEntries(expression.attributes) };
    case 'all':
    case 'any':
      return { [expression.dialect]: expression.of.map(jsonOf) };
    case 'not':
      return { not: jsonOf(expression.of) };
    case 'own':
      return { cel: expression.own.source };
  }
}
