import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { AppError } from '../problem/app-error.js';
import { checkBody } from '../problem/check-input.js';
import { filtersField } from './filters-field.js';

const create = z.strictObject({ filters: filtersField });
const patch = z.strictObject({ filters: filtersField.optional() });

function faultsOf(schema: z.ZodType, body: unknown): unknown {
  try {
    checkBody(schema, body);
    return [];
  } catch (error) {
    return error instanceof AppError ? error.errors : error;
  }
}

describe('the field of filters', () => {
  it('yields filters that were checked', () => {
    const { filters } = checkBody(create, { filters: [{ exact: { id: 'a' } }, { cel: 'data.x' }] });
    expect(filters.text).toBe('[{"exact":{"id":"a"}},{"cel":"data.x"}]');
  });

  it('may be left out of a patch alone', () => {
    expect(checkBody(patch, {})).toEqual({});
    expect(faultsOf(create, {})).toEqual([{ pointer: '/filters', code: 'required', detail: 'It must be given.' }]);
  });

  it('tells each fault below the field, with its position', () => {
    expect(faultsOf(patch, { filters: null })).toMatchObject([{ pointer: '/filters', code: 'wrong-type' }]);
    expect(faultsOf(patch, { filters: [{ 'a/b~': 1 }, { any: [{ cel: '1 +' }] }] })).toEqual([
      {
        pointer: '/filters/0/a~1b~0',
        code: 'unknown-dialect',
        detail: 'Must be exact, prefix, suffix, all, any, not or cel.',
      },
      {
        pointer: '/filters/1/any/0/cel',
        code: 'syntax',
        detail: 'Unexpected token: EOF.',
        position: { index: 3, line: 1, column: 4 },
      },
    ]);
  });
});
