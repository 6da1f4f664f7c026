import type { IpAddress } from './ip-address.js';
import { isInRange, parseIpRange, type IpRange } from './ip-range.js';

/** What is connected to without the proxy. */
export type ProxyBypass = (host: string, addresses: readonly IpAddress[]) => boolean;

/**
 * Reads the entries of `NO_PROXY`, which no specification has: `*`, an address or a CIDR range that all addresses of the
 * host are in, or a name that stands for itself and for all below it (with or without `.` or `*.` before it).
 */
export function proxyBypass(entries: readonly string[]): ProxyBypass {
  if (entries.includes('*')) return () => true;
  const ranges: IpRange[] = [];
  const names: string[] = [];
  for (const entry of entries) {
    const range = parseIpRange(entry);
    if (range === null) names.push(entry.toLowerCase().replace(/^\*?\./, ''));
    else ranges.push(range);
  }
  return (host, addresses) => {
    const name = host.toLowerCase().replace(/\.$/, '');
    if (names.some((one) => name === one || name.endsWith(`.${one}`))) return true;
    return addresses.length > 0 && addresses.every((address) => ranges.some((range) => isInRange(address, range)));
  };
}
