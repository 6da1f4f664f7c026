import { parseIpAddress, withoutMapping, type IpAddress } from './ip-address.js';

/** The addresses that begin with the same bits as `first` (CIDR, RFC 4632, RFC 4291 §2.3). */
export interface IpRange {
  readonly text: string;
  readonly first: IpAddress;
  readonly prefixLength: number;
}

/** Reads `10.0.0.0/8`, `fd00::/8`, or one address. @returns null when it is neither, or has bits set beyond its prefix */
export function parseIpRange(text: string): IpRange | null {
  const slash = text.indexOf('/');
  const first = parseIpAddress(slash < 0 ? text : text.slice(0, slash));
  if (first === null || text.includes('%')) return null;
  const width = widthOf(first);
  const length = slash < 0 ? String(width) : text.slice(slash + 1);
  if (!/^(0|[1-9]\d{0,2})$/.test(length) || Number(length) > width) return null;
  const prefixLength = Number(length);
  // `10.1.2.3/8` may be meant for one address or for sixteen million.
  if (BigInt.asUintN(width - prefixLength, first.bits) !== 0n) return null;
  return unmapped({ text, first, prefixLength });
}

export function isInRange(address: IpAddress, { first, prefixLength }: IpRange): boolean {
  if (address.family !== first.family) return false;
  return (address.bits ^ first.bits) >> BigInt(widthOf(first) - prefixLength) === 0n;
}

export function isOneAddress({ first, prefixLength }: IpRange): boolean {
  return prefixLength === widthOf(first);
}

const widthOf = ({ family }: IpAddress): 32 | 128 => (family === 4 ? 32 : 128);

/** A range of mapped addresses is the one that they stand for. */
function unmapped(range: IpRange): IpRange {
  const first = withoutMapping(range.first);
  return first === range.first || range.prefixLength < 96
    ? range
    : { ...range, first, prefixLength: range.prefixLength - 96 };
}
