import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRfc3339 } from './rfc3339.js';

const pad = (value: number, length = 2): string => String(value).padStart(length, '0');

describe('parseRfc3339', () => {
  it('reads what toISOString writes', () => {
    fc.assert(
      fc.property(
        fc.date({
          min: new Date('0000-01-01T00:00:00Z'),
          max: new Date('9999-12-31T23:59:59.999Z'),
          noInvalidDate: true,
        }),
        (date) => {
          expect(parseRfc3339(date.toISOString())).toEqual({ epochMs: date.getTime(), subMsNanos: 0 });
        },
      ),
    );
  });

  it('takes offset and fraction into account', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 4e12 }),
        fc.integer({ min: -1439, max: 1439 }),
        fc.integer({ min: 0, max: 999_999_999 }),
        (ms, offset, nanos) => {
          const second = Math.floor(ms / 1000) * 1000;
          const local = new Date(second + offset * 60_000).toISOString().slice(0, 19);
          const east = Math.abs(offset);
          const zone = `${offset < 0 ? '-' : '+'}${pad(Math.floor(east / 60))}:${pad(east % 60)}`;
          expect(parseRfc3339(`${local}.${pad(nanos, 9)}${zone}`)).toEqual({
            epochMs: second + Math.floor(nanos / 1e6),
            subMsNanos: nanos % 1e6,
          });
        },
      ),
    );
  });

  it.each([
    '2024-02-29T00:00:00Z',
    '2026-03-01t12:00:00z',
    '2016-12-31T23:59:60Z',
    '2026-03-01T12:00:00.1234567890123Z',
  ])('takes %s', (text) => expect(parseRfc3339(text)).not.toBeNull());

  it.each([
    '',
    '2026-03-01',
    '2026-03-01 12:00:00Z',
    '2026-03-01T12:00:00',
    '2026-03-01T12:00:00.Z',
    '2026-02-29T12:00:00Z',
    '2100-02-29T12:00:00Z',
    '2026-13-01T12:00:00Z',
    '2026-00-01T12:00:00Z',
    '2026-03-00T12:00:00Z',
    '2026-03-01T24:00:00Z',
    '2026-03-01T12:60:00Z',
    '2026-03-01T12:00:61Z',
    '2026-03-01T12:00:00+2:00',
    '2026-03-01T12:00:00+0200',
    '2026-03-01T12:00:00Zjunk',
    '2026-03-01T12:00:00+02:00x',
    '26-03-01T12:00:00.0000Z',
    `2026-03-01T12:00:00.${'0'.repeat(100)}Z`,
  ])('refuses %j', (text) => expect(parseRfc3339(text)).toBeNull());
});
