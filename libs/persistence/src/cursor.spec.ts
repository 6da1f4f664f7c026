import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeCursor, decodeNumber, encodeCursor, InvalidCursor, toPage } from './cursor.js';

describe('cursor', () => {
  it('comes back as it was, for any time and id', () => {
    const ids = fc.string({ minLength: 1, maxLength: 200, unit: 'grapheme' }).filter((id) => !id.includes('\0'));
    fc.assert(
      fc.property(fc.nat({ max: 8_640_000_000_000 }), ids, (at, id) => {
        expect(decodeCursor(encodeCursor({ at, id }))).toEqual({ at, id });
      }),
    );
  });

  it.each([
    '',
    'x',
    '!!',
    Buffer.from('12').toString('base64url'),
    Buffer.from('12:').toString('base64url'),
    Buffer.from('-1:a').toString('base64url'),
    Buffer.from('1:a\0').toString('base64url'),
    `${encodeCursor({ at: 1, id: 'a' })}=`,
  ])('refuses what it has not made: %j', (text) => {
    expect(() => decodeCursor(text)).toThrow(InvalidCursor);
  });

  it('holds no number that its column does not: one of another list is none', () => {
    const at = (number: number) => encodeCursor({ at: number, id: 'tr_1' });
    expect(decodeNumber(at(2_147_483_647))).toBe(2_147_483_647);
    for (const number of [2_147_483_648, 1_763_926_200_000])
      expect(() => decodeNumber(at(number))).toThrow(InvalidCursor);
  });

  it('ends with the last page, also when that is full', () => {
    const rows = [1, 2, 3].map((at) => ({ at, id: `row-${at}` }));
    expect(toPage(rows, 3, (row) => row).nextCursor).toBeNull();
    expect(toPage(rows, 2, (row) => row)).toEqual({
      data: rows.slice(0, 2),
      nextCursor: encodeCursor({ at: 2, id: 'row-2' }),
    });
    expect(toPage([], 2, (row: { at: number; id: string }) => row)).toEqual({ data: [], nextCursor: null });
  });
});
