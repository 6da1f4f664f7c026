import { forbiddenPurpose } from './address-rules.js';
import { addressOfHost } from './ip-address.js';
import { parseIpRange, type IpRange } from './ip-range.js';
import { parsePortRange, type PortRange } from './port-range.js';

/** Where a deployment sends to. */
export interface NetworkRules {
  readonly allowHttp: boolean;
  /** Open although they are special (special-ranges.ts). */
  readonly allowedRanges: readonly IpRange[];
  readonly allowedPorts: readonly PortRange[];
}

/** The same as configuration has it. */
export interface NetworkSettings {
  readonly allowHttp: boolean;
  /** CIDR, or `none`, which stands for itself. */
  readonly allowedRanges: readonly string[];
  /** `443`, `1024-65535`. */
  readonly allowedPorts: readonly string[];
}

/** Of the ports below 1024 only the web's: no mail, no remote shell, no directory is to be knocked at in our name. */
export const defaultPorts: readonly string[] = ['80', '443', '1024-65535'];

/** @throws RangeError that names the entry which is no range */
export function networkRules({ allowHttp, allowedRanges, allowedPorts }: NetworkSettings): NetworkRules {
  return {
    allowHttp,
    allowedRanges: allowedRanges.filter((text) => text !== 'none').map((text) => read(text, parseIpRange)),
    allowedPorts: allowedPorts.map((text) => read(text, parsePortRange)),
  };
}

/** What holds where nothing else is said. */
export const strictRules = networkRules({ allowHttp: false, allowedRanges: [], allowedPorts: defaultPorts });

/**
 * What is wrong with where a URL leads to, as far as its text tells: scheme, port, and the address if its host is one.
 * What a name leads to is known only when it is connected to.
 * @returns half a sentence that begins with `must`, or null
 */
export function destinationFault(url: URL, rules: NetworkRules): string | null {
  if (url.protocol !== 'https:' && !(rules.allowHttp && url.protocol === 'http:')) {
    return rules.allowHttp ? 'must begin with https:// or http://' : 'must begin with https://';
  }
  const port = portOf(url);
  if (!rules.allowedPorts.some(({ least, most }) => port >= least && port <= most)) {
    return `must have one of the ports ${rules.allowedPorts.map(({ text }) => text).join(', ')}, not ${port}`;
  }
  const address = addressOfHost(url.hostname);
  const purpose = address === null ? null : forbiddenPurpose(address, rules.allowedRanges);
  return purpose === null ? null : `must not lead to ${purpose}`;
}

/** Said or not. */
export function portOf({ protocol, port }: Pick<URL, 'protocol' | 'port'>): number {
  return port === '' ? (protocol === 'http:' ? 80 : 443) : Number(port);
}

function read<T>(text: string, parse: (text: string) => T | null): T {
  const range = parse(text);
  if (range === null) throw new RangeError(`${JSON.stringify(text)} is not a range`);
  return range;
}
