import { describe, expect, it } from 'vitest';
import { AppError } from '../problem/app-error.js';
import { checkMatch, ifMatch } from './entity-tags.js';

const fits = (header: string, tag: string): boolean | undefined => ifMatch(header)?.(tag);

describe('ifMatch', () => {
  it('is nothing without the header', () => {
    expect(ifMatch(undefined)).toBeNull();
    expect(() => checkMatch(null, '"1"')).not.toThrow();
  });

  it.each([
    ['"3"', true],
    ['"2"', false],
    [' "2" , "3" ', true],
    ['*', true],
    ['W/"3"', false],
    ['"a,b", "3"', true],
    ['""', false],
  ])('%s', (header, expected) => {
    expect(fits(header, '"3"')).toBe(expected);
  });

  it.each(['3', '', '"3', '"3" "4"', '"3",', '*, "3"'])('refuses %s', (header) => {
    expect(() => ifMatch(header)).toThrow(AppError);
  });

  it('says which tag it has now', () => {
    const refused = (): void => checkMatch(ifMatch('"2"'), '"3"');
    expect(refused).toThrow(
      expect.objectContaining({ code: 'precondition-failed', headers: { etag: '"3"' } }) as Error,
    );
  });
});
