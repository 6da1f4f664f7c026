import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAttributeFilter } from '#libs/core';
import { compiled, eventOf } from './filters.fixture.js';

type Filter = { readonly [dialect: string]: string | Record<string, string> | readonly Filter[] | Filter };

const known = ['id', 'source', 'type', 'subject'];
const name = fc.constantFrom(...known, 'region', 'missing');
const text = fc.constantFrom('a', 'b', 'ab', 'ba', 'abc');
const dialect = fc.constantFrom('exact', 'prefix', 'suffix');
const comparison = fc.tuple(dialect, fc.dictionary(name, text, { minKeys: 1, maxKeys: 3 }));
const composed = (leaf: fc.Arbitrary<Filter>) =>
  fc.letrec<{ filter: Filter }>((tie) => ({
    filter: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc
        .tuple(fc.constantFrom('all', 'any'), fc.array(tie('filter'), { minLength: 1, maxLength: 3 }))
        .map(([of, filters]): Filter => ({ [of]: filters })),
      tie('filter').map((of): Filter => ({ not: of })),
    ),
  })).filter;
const filter = composed(comparison.map(([of, attributes]): Filter => ({ [of]: attributes })));
const event = fc
  .record({
    id: text,
    source: text,
    type: text,
    subject: fc.option(text, { nil: undefined }),
    extensions: fc.record({ region: text }, { requiredKeys: [] }),
  })
  .map((attributes) => eventOf(null, attributes));

/** The same in CEL. */
function celOf(of: Filter): string {
  const [[of0, operand] = ['', {}]] = Object.entries(of);
  if (of0 === 'not') return `!(${celOf(operand as Filter)})`;
  if (of0 === 'all') return (operand as Filter[]).map((one) => `(${celOf(one)})`).join(' && ');
  if (of0 === 'any') return (operand as Filter[]).map((one) => `(${celOf(one)})`).join(' || ');
  return Object.entries(operand as Record<string, string>)
    .map(([attribute, wanted]) => {
      const value = known.includes(attribute) ? attribute : `extensions.${attribute}`;
      if (of0 === 'exact') return `${value} == "${wanted}"`;
      const compares = `${value}.${of0 === 'prefix' ? 'startsWith' : 'endsWith'}("${wanted}")`;
      return ['id', 'source', 'type'].includes(attribute) ? compares : `(${value} != null && ${compares})`;
    })
    .join(' && ');
}

describe('compiled filters', () => {
  it('say of attributes what the filters of the core say, and what the same says in CEL', () => {
    fc.assert(
      fc.property(fc.array(filter, { maxLength: 3 }), event, (filters, of) => {
        const parsed = parseAttributeFilter(filters);
        if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults));
        const expected = parsed.matches({ ...of.attributes, data: { kind: 'json', value: null } });
        expect(compiled(filters).matches(of)).toEqual({ match: expected, error: null, steps: 0 });
        const cel = compiled(filters.map((one) => ({ cel: celOf(one) }))).matches(of);
        expect(cel).toMatchObject({ match: expected, error: null });
      }),
      { numRuns: 500 },
    );
  });

  it('take an error for neither true nor false, as CEL does', () => {
    const cels = { true: true, false: false, 'data.gone == 1': 'error' } as const;
    const leaf = fc.constantFrom<keyof typeof cels>('true', 'false', 'data.gone == 1').map((cel): Filter => ({ cel }));
    type Said = boolean | 'error';
    const both = (parts: Said[]): Said => (parts.includes(false) ? false : parts.includes('error') ? 'error' : true);
    const not = (said: Said): Said => (said === 'error' ? said : !said);
    const model = (of: Filter): Said => {
      const [[of0, operand] = ['', '']] = Object.entries(of);
      if (of0 === 'cel') return cels[operand as keyof typeof cels];
      if (of0 === 'not') return not(model(operand as Filter));
      const parts = (operand as Filter[]).map(model);
      return of0 === 'all' ? both(parts) : not(both(parts.map(not)));
    };
    fc.assert(
      fc.property(fc.array(composed(leaf), { maxLength: 3 }), (filters) => {
        const expected = both(filters.map(model));
        const { match, error } = compiled(filters).matches(eventOf({}));
        expect(match).toBe(expected === true);
        expect(error).toBe(expected === 'error' ? 'No such field: gone' : null);
      }),
    );
  });

  it('say how much memory they take, by their text, nodes and patterns', () => {
    const { bytes } = compiled([]);
    expect(compiled([{ exact: { id: 'x'.repeat(1_000) } }]).bytes).toBeGreaterThan(bytes + 1_000);
    expect(compiled([{ cel: `${'!'.repeat(100)}data` }]).bytes).toBeGreaterThan(bytes + 100 * 200);
    expect(compiled([{ cel: 'data.matches("a{100}")' }]).bytes).toBeGreaterThan(bytes + 100 * 80);
  });
});
