import { parseIpRange, type IpRange } from './ip-range.js';

/** A range that is not for webhooks, and the document that reserves it. */
export interface SpecialRange {
  readonly range: IpRange;
  readonly purpose: string;
  readonly source: string;
}

/**
 * What the IANA IPv4 and IPv6 Special-Purpose Address Registries do not call globally reachable, multicast, and IPv6
 * forms that carry an IPv4 address to a relay (6to4, Teredo): nobody's receiver is there, and the relay may be inside.
 * NAT64 (64:ff9b::/96) is missing here: in an IPv6-only network every IPv4 host is behind it, so what it carries is judged.
 */
const table: readonly (readonly [range: string, purpose: string, source: string])[] = [
  ['0.0.0.0/8', 'this network', 'RFC 791'],
  ['10.0.0.0/8', 'private use', 'RFC 1918'],
  ['100.64.0.0/10', 'carrier-grade NAT', 'RFC 6598'],
  ['127.0.0.0/8', 'loopback', 'RFC 1122'],
  ['169.254.0.0/16', 'link-local', 'RFC 3927'],
  ['172.16.0.0/12', 'private use', 'RFC 1918'],
  ['192.0.0.0/24', 'IETF protocol assignments', 'RFC 6890'],
  ['192.0.2.0/24', 'documentation', 'RFC 5737'],
  ['192.88.99.0/24', '6to4 relays, withdrawn', 'RFC 7526'],
  ['192.168.0.0/16', 'private use', 'RFC 1918'],
  ['198.18.0.0/15', 'benchmarking', 'RFC 2544'],
  ['198.51.100.0/24', 'documentation', 'RFC 5737'],
  ['203.0.113.0/24', 'documentation', 'RFC 5737'],
  ['224.0.0.0/4', 'multicast', 'RFC 5771'],
  ['255.255.255.255', 'broadcast', 'RFC 919'],
  ['240.0.0.0/4', 'reserved', 'RFC 1112'],
  ['::', 'unspecified', 'RFC 4291'],
  ['::1', 'loopback', 'RFC 4291'],
  ['::/96', 'IPv4-compatible, withdrawn', 'RFC 4291'],
  ['::ffff:0:0:0/96', 'IPv4-translated', 'RFC 2765'],
  ['64:ff9b:1::/48', 'NAT64 of a local network', 'RFC 8215'],
  ['100::/64', 'discarded', 'RFC 6666'],
  ['100:0:0:1::/64', 'dummy prefix', 'RFC 9780'],
  ['2001::/32', 'Teredo', 'RFC 4380'],
  ['2001:2::/48', 'benchmarking', 'RFC 5180'],
  ['2001:10::/28', 'ORCHID, withdrawn', 'RFC 4843'],
  ['2001::/23', 'IETF protocol assignments', 'RFC 2928'],
  ['2001:db8::/32', 'documentation', 'RFC 3849'],
  ['2002::/16', '6to4', 'RFC 3056'],
  ['3fff::/20', 'documentation', 'RFC 9637'],
  ['5f00::/16', 'segment routing', 'RFC 9602'],
  ['fc00::/7', 'unique local', 'RFC 4193'],
  ['fe80::/10', 'link-local', 'RFC 4291'],
  ['fec0::/10', 'site-local, withdrawn', 'RFC 3879'],
  ['ff00::/8', 'multicast', 'RFC 4291'],
];

/** The first that holds an address is the one that says best what it is. */
export const specialRanges: readonly SpecialRange[] = table.map(([range, purpose, source]) => ({
  range: known(range),
  purpose,
  source,
}));

/** Of IPv6 only this is given out (RFC 4291 §2.4, IANA): what lies outside of it is reserved. */
export const globalUnicast = known('2000::/3');

/** What stands for IPv4 hosts in networks that have none (RFC 6052 §2.1): the last 32 bits are theirs. */
export const nat64 = known('64:ff9b::/96');

/**
 * Where clouds hand out credentials. An allowed range opens them only if it is that one address: who allows all of
 * 169.254.0.0/16 or fc00::/7 hardly means these. One (Azure's) is a public address.
 */
export const metadataAddresses: readonly IpRange[] = [
  '169.254.169.254',
  '169.254.170.2',
  '169.254.170.23',
  '100.100.100.200',
  '168.63.129.16',
  'fd00:ec2::254',
  'fd00:ec2::23',
  'fd20:ce::254',
].map(known);

function known(text: string): IpRange {
  const range = parseIpRange(text);
  if (range === null) throw new RangeError(`${text} is not a range of addresses`);
  return range;
}
