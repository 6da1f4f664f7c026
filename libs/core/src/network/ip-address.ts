/** An IPv4 (32 bits) or IPv6 (128 bits) address as a number. */
export interface IpAddress {
  readonly family: 4 | 6;
  readonly bits: bigint;
}

const decimalByte = /^(0|[1-9]\d{0,2})$/;
const hexGroup = /^[0-9a-f]{1,4}$/i;

/** A zone (RFC 4007 §11) is left out: it says by which interface, not where to. @returns null when the text is no address. */
export function parseIpAddress(text: string): IpAddress | null {
  if (!text.includes(':')) return parseIpv4(text);
  const zone = text.indexOf('%');
  return parseIpv6(zone < 0 ? text : text.slice(0, zone));
}

/**
 * The address that a URL's host is, in every form that URL parsers and getaddrinfo take for one: IPv6 with or without
 * brackets, and IPv4 in one to four decimal, octal or hexadecimal parts (`2130706433`, `0177.1`, `0x7f.0.0.1`).
 * @returns null when it is a name
 */
export function addressOfHost(host: string): IpAddress | null {
  const bare = host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
  return parseIpAddress(bare) ?? parseLooseIpv4(bare);
}

/** IPv4 dotted; IPv6 as RFC 5952 says, but in hexadecimal throughout, as URLs have it. */
export function formatIpAddress({ family, bits }: IpAddress): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => String((bits >> shift) & 0xffn)).join('.');
  const groups = Array.from({ length: 8 }, (_, index) => (bits >> BigInt(112 - 16 * index)) & 0xffffn);
  const zeros = longestZeros(groups);
  const hex = (from: number, to: number): string =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':');
  return zeros.length < 2 ? hex(0, 8) : `${hex(0, zeros.from)}::${hex(zeros.from + zeros.length, 8)}`;
}

/** `::ffff:a.b.c.d` is that IPv4 address to every operating system (RFC 4291 §2.5.5.2); others stay as they are. */
export function withoutMapping(address: IpAddress): IpAddress {
  return address.family === 6 && address.bits >> 32n === 0xffffn
    ? { family: 4, bits: address.bits & 0xffff_ffffn }
    : address;
}

function parseIpv4(text: string): IpAddress | null {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => decimalByte.test(part) && Number(part) < 256)) return null;
  return { family: 4, bits: parts.reduce((bits, part) => (bits << 8n) | BigInt(part), 0n) };
}

/** As inet_aton and the URL standard have it: the last part fills all the bytes that are left. */
function parseLooseIpv4(text: string): IpAddress | null {
  const parts = (text.endsWith('.') ? text.slice(0, -1) : text).split('.');
  const numbers = parts.map(looseNumber);
  const last = numbers.pop();
  if (last === undefined || last === null || numbers.length > 3) return null;
  let bits = 0n;
  for (const number of numbers) {
    if (number === null || number > 255n) return null;
    bits = (bits << 8n) | number;
  }
  const left = BigInt(32 - 8 * numbers.length);
  return last >> left === 0n ? { family: 4, bits: (bits << left) | last } : null;
}

function looseNumber(part: string): bigint | null {
  if (/^0x[0-9a-f]*$/i.test(part)) return part.length === 2 ? 0n : BigInt(part);
  if (/^0[0-7]+$/.test(part)) return BigInt(`0o${part.slice(1)}`);
  return /^(0|[1-9]\d*)$/.test(part) ? BigInt(part) : null;
}

function parseIpv6(text: string): IpAddress | null {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const [head, tail] = halves.map(groupsOf);
  if (head === undefined || head === null || tail === null) return null;
  // The dotted form stands at the very end only.
  if (tail !== undefined && halves[0]?.includes('.')) return null;
  const missing = 8 - head.length - (tail?.length ?? 0);
  if (tail === undefined ? missing !== 0 : missing < 1) return null;
  const groups = [...head, ...Array<bigint>(missing).fill(0n), ...(tail ?? [])];
  return { family: 6, bits: groups.reduce((bits, group) => (bits << 16n) | group, 0n) };
}

/** Of one side of `::`; the last 32 bits may be dotted. */
function groupsOf(text: string): bigint[] | null {
  if (text === '') return [];
  const parts = text.split(':');
  const last = parts.at(-1) ?? '';
  const dotted = last.includes('.') ? parseIpv4(last) : undefined;
  if (dotted === null) return null;
  if (dotted !== undefined) parts.pop();
  if (!parts.every((part) => hexGroup.test(part))) return null;
  const groups = parts.map((part) => BigInt(`0x${part}`));
  return dotted === undefined ? groups : [...groups, dotted.bits >> 16n, dotted.bits & 0xffffn];
}

function longestZeros(groups: readonly bigint[]): { readonly from: number; readonly length: number } {
  let longest = { from: 0, length: 0 };
  let from = 0;
  for (const [index, group] of groups.entries()) {
    if (group !== 0n) from = index + 1;
    else if (index + 1 - from > longest.length) longest = { from, length: index + 1 - from };
  }
  return longest;
}
