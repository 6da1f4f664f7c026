import { isIP, isIPv6 } from 'node:net';
import { parseIpRange, parsePortRange } from '#libs/core';

/** An address or a CIDR range; or `none`, which says that there is to be none. */
export const isAllowedRange = (text: string): boolean => text === 'none' || parseIpRange(text) !== null;

export const isPortRange = (text: string): boolean => parsePortRange(text) !== null;

/** `10.0.0.2`, `10.0.0.2:5353`, `fd00::2`, `[fd00::2]:5353`. */
export function isNameServer(text: string): boolean {
  const bracketed = /^\[(.+)\](?::\d{1,5})?$/.exec(text)?.[1];
  if (bracketed !== undefined) return isIPv6(bracketed);
  return isIP(isIPv6(text) ? text : text.replace(/:\d{1,5}$/, '')) !== 0;
}
