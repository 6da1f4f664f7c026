import { withoutMapping, type IpAddress } from './ip-address.js';
import { isInRange, isOneAddress, type IpRange } from './ip-range.js';
import { globalUnicast, metadataAddresses, nat64, specialRanges } from './special-ranges.js';

/**
 * Why nothing may be sent to an address (DESIGN §9, invariant 7).
 * @param allowed ranges that are open although they are special
 * @returns what it is, for example `loopback (RFC 1122)`; null: it may be sent to
 */
export function forbiddenPurpose(address: IpAddress, allowed: readonly IpRange[]): string | null {
  const meant = withoutMapping(address);
  // What a translator makes of it decides; its own form may be allowed too.
  const ends = isInRange(meant, nat64) ? [translated(meant), meant] : [meant];
  const isAllowed = (range: IpRange): boolean => ends.some((end) => isInRange(end, range));
  if (metadataAddresses.some(isAllowed)) {
    return allowed.some((range) => isOneAddress(range) && isAllowed(range)) ? null : 'a metadata service';
  }
  return allowed.some(isAllowed) ? null : specialPurpose(ends[0] ?? meant);
}

function specialPurpose(address: IpAddress): string | null {
  const found = specialRanges.find(({ range }) => isInRange(address, range));
  if (found !== undefined) return `${found.purpose} (${found.source})`;
  return address.family === 6 && !isInRange(address, globalUnicast) ? 'reserved (RFC 4291)' : null;
}

const translated = ({ bits }: IpAddress): IpAddress => ({ family: 4, bits: bits & 0xffff_ffffn });
