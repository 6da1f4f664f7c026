import { isIP, isIPv4 } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressOfHost, formatIpAddress, parseIpAddress, withoutMapping } from './ip-address.js';

/** Node's URL parser: another hand's reading of hosts (WHATWG URL §3.5). Null: no address. */
function asUrlsHaveIt(host: string): string | null {
  const hostname = URL.parse(`http://${host}/`)?.hostname ?? '';
  return hostname.startsWith('[') ? hostname.slice(1, -1) : isIPv4(hostname) ? hostname : null;
}

const formatted = (text: string): string | null => {
  const address = addressOfHost(text);
  return address === null ? null : formatIpAddress(address);
};

const group = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }));
const ipv6 = fc
  .array(group, { minLength: 8, maxLength: 8 })
  .map((groups) => groups.map((one) => one.toString(16)).join(':'));
/** Characters of addresses in any order: mostly faults, near to what is right. */
const almost = fc.oneof(
  fc.string({ unit: fc.constantFrom(...'0123456789abf:.'.split('')), maxLength: 24 }),
  fc
    .array(fc.constantFrom('::', ':', '1', 'ffff', '1.2.3.4', '256', '0', '01', '.'), { maxLength: 10 })
    .map((all) => all.join('')),
);

describe('parseIpAddress', () => {
  it('takes what node:net takes for an address, and nothing else', () => {
    fc.assert(
      fc.property(fc.oneof(almost, ipv6, fc.ipV4(), fc.ipV6()), (text) => {
        expect(parseIpAddress(text)?.family ?? 0).toBe(isIP(text));
      }),
      { numRuns: 2_000 },
    );
  });

  it('reads IPv6 as URLs do', () => {
    fc.assert(
      fc.property(fc.oneof(ipv6, fc.ipV6()), (text) => {
        expect(formatted(text)).toBe(asUrlsHaveIt(`[${text}]`));
      }),
    );
  });

  it('gives back what it wrote', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }), (bits) => {
        const of6 = { family: 6, bits } as const;
        const of4 = { family: 4, bits: bits & 0xffff_ffffn } as const;
        expect([of6, of4].map((one) => parseIpAddress(formatIpAddress(one)))).toEqual([of6, of4]);
      }),
    );
  });

  it('does not look at the zone', () => {
    expect(parseIpAddress('fe80::1%eth0')).toEqual(parseIpAddress('fe80::1'));
  });
});

const part = fc
  .integer({ min: 0, max: 0xffff_ffff })
  .chain((number) =>
    fc.constantFrom(
      String(number),
      `0${number.toString(8)}`,
      `0x${number.toString(16)}`,
      String(number & 0xff),
      `0${(number & 0xff).toString(8)}`,
      `0X${(number & 0xff).toString(16)}`,
    ),
  );

describe('addressOfHost', () => {
  it('reads IPv4 in decimal, octal and hexadecimal, in one part to four, as URLs do', () => {
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), fc.constantFrom('', '.'), (parts, dot) => {
        const host = parts.join('.') + dot;
        expect(formatted(host)).toBe(asUrlsHaveIt(host));
      }),
      { numRuns: 1_000 },
    );
  });

  it.each([
    ['2130706433', '127.0.0.1'],
    ['0177.1', '127.0.0.1'],
    ['0x7f.0.0x1', '127.0.0.1'],
    ['017700000001', '127.0.0.1'],
    ['127.0.0.1.', '127.0.0.1'],
    ['0x', '0.0.0.0'],
    ['[::1]', '::1'],
    ['::ffff:127.0.0.1', '::ffff:7f00:1'],
    ['localhost', null],
    ['127.0.0.1.example', null],
    ['256.1', null],
    ['4294967296', null],
    ['08', null],
    ['', null],
  ])('%s is %s', (host, address) => {
    expect(formatted(host)).toBe(address);
  });
});

describe('withoutMapping', () => {
  it('takes the IPv4 address out of a mapped one, and leaves others', () => {
    const of = (text: string): string => formatIpAddress(withoutMapping(parseIpAddress(text)!));
    expect(['::ffff:10.0.0.1', '::10.0.0.1', '::fffe:a00:1', '10.0.0.1'].map(of)).toEqual([
      '10.0.0.1',
      '::a00:1',
      '::fffe:a00:1',
      '10.0.0.1',
    ]);
  });
});
