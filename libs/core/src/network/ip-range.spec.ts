import { BlockList } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatIpAddress, parseIpAddress, type IpAddress } from './ip-address.js';
import { isInRange, isOneAddress, parseIpRange } from './ip-range.js';

const anyRange = fc.constantFrom(4 as const, 6 as const).chain((family) => {
  const width = family === 4 ? 32 : 128;
  return fc
    .tuple(fc.bigInt({ min: 0n, max: 2n ** BigInt(width) - 1n }), fc.integer({ min: 0, max: width }))
    .map(([bits, length]) => {
      const rest = BigInt(width - length);
      return { family, width, length, rest, first: (bits >> rest) << rest };
    });
});

describe('parseIpRange', () => {
  it('holds the addresses that a BlockList of node:net holds: the first, the last, those beside them', () => {
    fc.assert(
      fc.property(anyRange, ({ family, width, length, rest, first }) => {
        const text = formatIpAddress({ family, bits: first });
        // A mapped range is one of IPv4: the other suite looks at that.
        fc.pre(!text.startsWith('::ffff:'));
        const range = parseIpRange(`${text}/${length}`)!;
        const list = new BlockList();
        list.addSubnet(text, length, family === 4 ? 'ipv4' : 'ipv6');
        const size = 1n << rest;
        for (const bits of [first, first + size - 1n, first - 1n, first + size, first + size / 2n]) {
          const address: IpAddress = { family, bits: BigInt.asUintN(width, bits) };
          expect(isInRange(address, range)).toBe(list.check(formatIpAddress(address), family === 4 ? 'ipv4' : 'ipv6'));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('takes a single address for a range of one', () => {
    expect(['10.0.0.1', '::1', '10.0.0.0/31'].map((text) => isOneAddress(parseIpRange(text)!))).toEqual([
      true,
      true,
      false,
    ]);
  });

  it('takes a range of mapped addresses for what they stand for', () => {
    expect(isInRange(parseIpAddress('10.1.2.3')!, parseIpRange('::ffff:10.0.0.0/104')!)).toBe(true);
  });

  it.each([
    '',
    'x',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/08',
    '10.1.2.3/8',
    '::1/127',
    'fe80::%1/10',
    '10/8',
    '10.0.0.0/8/8',
    '::/129',
  ])('%s is none', (text) => {
    expect(parseIpRange(text)).toBeNull();
  });
});
