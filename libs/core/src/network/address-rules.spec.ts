import { BlockList } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { forbiddenPurpose } from './address-rules.js';
import { formatIpAddress, parseIpAddress, type IpAddress } from './ip-address.js';
import { parseIpRange, type IpRange } from './ip-range.js';
import { specialRanges } from './special-ranges.js';

const purposeOf = (text: string, ...allowed: string[]): string | null =>
  forbiddenPurpose(
    parseIpAddress(text)!,
    allowed.map((one) => parseIpRange(one)!),
  );

/** Node's own list of the same ranges. Azure's metadata service is the one forbidden address that lies in none of them. */
const forbidden = new BlockList();
for (const { range } of specialRanges) {
  forbidden.addSubnet(formatIpAddress(range.first), range.prefixLength, range.first.family === 4 ? 'ipv4' : 'ipv6');
}
forbidden.addAddress('168.63.129.16', 'ipv4');
const outsideOfGlobal = new BlockList();
outsideOfGlobal.addSubnet('::', 3, 'ipv6');
outsideOfGlobal.addSubnet('4000::', 2, 'ipv6');
outsideOfGlobal.addSubnet('8000::', 1, 'ipv6');

const edges = ({ first, prefixLength }: IpRange): IpAddress[] => {
  const width = first.family === 4 ? 32 : 128;
  const size = 1n << BigInt(width - prefixLength);
  return [first.bits, first.bits + size - 1n, first.bits - 1n, first.bits + size].map((bits) => ({
    family: first.family,
    bits: BigInt.asUintN(width, bits),
  }));
};
const anAddress = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }).map((bits): IpAddress => ({ family: 4, bits })),
  fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }).map((bits): IpAddress => ({ family: 6, bits })),
  fc.constantFrom(...specialRanges.flatMap(({ range }) => edges(range))),
);
const isNat64 = ({ family, bits }: IpAddress): boolean =>
  family === 6 && bits >> 32n === 0x64_ff9b_0000_0000_0000_0000n;
const isMapped = ({ family, bits }: IpAddress): boolean => family === 6 && bits >> 32n === 0xffffn;

describe('forbiddenPurpose', () => {
  it('refuses what a BlockList of node:net with the same ranges holds, and what IPv6 has not given out', () => {
    fc.assert(
      fc.property(anAddress, (address) => {
        fc.pre(!isNat64(address) && !isMapped(address));
        const text = formatIpAddress(address);
        const expected =
          address.family === 4
            ? forbidden.check(text, 'ipv4')
            : forbidden.check(text, 'ipv6') || outsideOfGlobal.check(text, 'ipv6');
        expect(forbiddenPurpose(address, []) !== null).toBe(expected);
      }),
      { numRuns: 3_000 },
    );
  });

  it('judges an IPv4 address alike when it is mapped or translated, whatever is allowed', () => {
    const allowed = ['10.0.0.0/8', '127.0.0.2', '0.0.0.0/1'].map((text) => parseIpRange(text)!);
    fc.assert(
      fc.property(anAddress, fc.subarray(allowed), (address, ranges) => {
        fc.pre(address.family === 4);
        const forms = [0xffffn << 32n, 0x64_ff9bn << 96n].map((prefix): IpAddress => ({
          family: 6,
          bits: prefix | address.bits,
        }));
        const plain = forbiddenPurpose(address, ranges);
        expect(forms.map((form) => forbiddenPurpose(form, ranges))).toEqual([plain, plain]);
      }),
      { numRuns: 1_000 },
    );
  });

  it('opens exactly what is allowed', () => {
    fc.assert(
      fc.property(anAddress, fc.constantFrom(...specialRanges), (address, { range }) => {
        fc.pre(!isNat64(address) && !isMapped(address) && range.first.family === address.family);
        const isInside = edgesHold(range, address);
        const closed = forbiddenPurpose(address, []);
        fc.pre(closed !== 'a metadata service');
        expect(forbiddenPurpose(address, [range])).toBe(isInside ? null : closed);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ['0.0.0.0', 'this network (RFC 791)'],
    ['10.255.255.255', 'private use (RFC 1918)'],
    ['100.64.0.1', 'carrier-grade NAT (RFC 6598)'],
    ['127.0.0.1', 'loopback (RFC 1122)'],
    ['169.254.1.1', 'link-local (RFC 3927)'],
    ['169.254.169.254', 'a metadata service'],
    ['::ffff:169.254.169.254', 'a metadata service'],
    ['64:ff9b::a9fe:a9fe', 'a metadata service'],
    ['168.63.129.16', 'a metadata service'],
    ['fd00:ec2::254', 'a metadata service'],
    ['172.31.0.1', 'private use (RFC 1918)'],
    ['192.0.2.1', 'documentation (RFC 5737)'],
    ['192.168.0.1', 'private use (RFC 1918)'],
    ['198.19.0.1', 'benchmarking (RFC 2544)'],
    ['224.0.0.1', 'multicast (RFC 5771)'],
    ['250.0.0.1', 'reserved (RFC 1112)'],
    ['255.255.255.255', 'broadcast (RFC 919)'],
    ['::', 'unspecified (RFC 4291)'],
    ['::1', 'loopback (RFC 4291)'],
    ['::127.0.0.1', 'IPv4-compatible, withdrawn (RFC 4291)'],
    ['::ffff:127.0.0.1', 'loopback (RFC 1122)'],
    ['64:ff9b::7f00:1', 'loopback (RFC 1122)'],
    ['64:ff9b::808:808', null],
    ['64:ff9b:1::808:808', 'NAT64 of a local network (RFC 8215)'],
    ['2001:0:4136:e378:8000:63bf:3fff:fdd2', 'Teredo (RFC 4380)'],
    ['2001:db8::1', 'documentation (RFC 3849)'],
    ['2002:7f00:1::', '6to4 (RFC 3056)'],
    ['2002:808:808::', '6to4 (RFC 3056)'],
    ['3fff::1', 'documentation (RFC 9637)'],
    ['4000::1', 'reserved (RFC 4291)'],
    ['fc00::1', 'unique local (RFC 4193)'],
    ['fe80::1%eth0', 'link-local (RFC 4291)'],
    ['fec0::1', 'site-local, withdrawn (RFC 3879)'],
    ['ff02::1', 'multicast (RFC 4291)'],
    ['8.8.8.8', null],
    ['172.32.0.1', null],
    ['2606:4700::1111', null],
  ])('%s: %s', (address, purpose) => {
    expect(purposeOf(address)).toBe(purpose);
  });

  it('opens a metadata service only to who names it', () => {
    expect(purposeOf('169.254.169.254', '169.254.0.0/16', '0.0.0.0/0')).toBe('a metadata service');
    expect(purposeOf('fd00:ec2::254', 'fc00::/7')).toBe('a metadata service');
    expect(purposeOf('169.254.169.254', '169.254.169.254')).toBeNull();
  });

  it('lets a translated address be allowed by its own form too', () => {
    expect(purposeOf('64:ff9b::a00:1', '64:ff9b::/96')).toBeNull();
    expect(purposeOf('64:ff9b::a00:1', '11.0.0.0/8')).toBe('private use (RFC 1918)');
  });
});

/** Said by node:net. */
function edgesHold({ first, prefixLength }: IpRange, address: IpAddress): boolean {
  const kind = first.family === 4 ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  list.addSubnet(formatIpAddress(first), prefixLength, kind);
  return list.check(formatIpAddress(address), kind);
}
