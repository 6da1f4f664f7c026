import { describe, expect, it } from 'vitest';
import { AppError } from '../problem/app-error.js';
import { rangeOf } from './stats.js';

const at = (text: string): number => Date.parse(text);

describe('rangeOf', () => {
  it('takes whole hours, or days', () => {
    const [from, to] = [at('2026-11-24T08:15:00Z'), at('2026-11-25T10:00:00.001Z')];
    expect(rangeOf(from, to, 'hour')).toEqual({ from: at('2026-11-24T08:00:00Z'), to: at('2026-11-25T11:00:00Z') });
    expect(rangeOf(from, to, 'day')).toEqual({ from: at('2026-11-24T00:00:00Z'), to: at('2026-11-26T00:00:00Z') });
    expect(rangeOf(at('2026-11-24T08:00:00Z'), at('2026-11-24T09:00:00Z'), 'all')).toEqual({
      from: at('2026-11-24T08:00:00Z'),
      to: at('2026-11-24T09:00:00Z'),
    });
  });

  it('refuses none, and more than it can read at once', () => {
    const to = at('2026-11-25T00:00:00Z');
    const day = 86_400_000;
    expect(() => rangeOf(to, to, 'hour')).toThrow(AppError);
    expect(() => rangeOf(to - 31 * day, to, 'hour')).not.toThrow();
    expect(() => rangeOf(to - 32 * day, to, 'hour')).toThrow(AppError);
    expect(() => rangeOf(to - 400 * day, to, 'day')).not.toThrow();
    expect(() => rangeOf(to - 402 * day, to, 'all')).toThrow(AppError);
  });
});
