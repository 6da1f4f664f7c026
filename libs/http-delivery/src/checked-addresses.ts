import {
  addressOfHost,
  destinationFault,
  forbiddenPurpose,
  formatIpAddress,
  parseIpAddress,
  withoutMapping,
  type IpAddress,
  type NetworkRules,
} from '#libs/core';
import { ConnectFailure } from './connect-failure.js';
import type { ResolveHost } from './resolve-host.js';

/**
 * What may be connected to for an origin, now: asked once, and never asked again for the same connection, so that no
 * second answer can differ from the one that was looked at. One forbidden address among several refuses them all: a host
 * out there has no reason to name one, unless somebody tries which of them is taken.
 * @returns at least one address
 * @throws ConnectFailure `guard` where one is forbidden, `dns` where there is none
 */
export async function checkedAddresses(
  origin: URL,
  rules: NetworkRules,
  resolve: ResolveHost,
): Promise<readonly IpAddress[]> {
  const fault = destinationFault(origin, rules);
  if (fault !== null) throw new ConnectFailure('guard', `the URL ${fault}`);
  const literal = addressOfHost(origin.hostname);
  if (literal !== null) return [withoutMapping(literal)];
  const addresses = (await resolve(origin.hostname)).map(addressIn);
  for (const address of addresses) {
    const purpose = forbiddenPurpose(address, rules.allowedRanges);
    // Not which address: who owns the endpoint could map a network by it.
    if (purpose !== null)
      throw new ConnectFailure('guard', `${origin.hostname} leads to a forbidden address: ${purpose}`);
  }
  if (addresses.length === 0) throw new ConnectFailure('dns', `${origin.hostname} has no address`);
  return addresses;
}

/** That a socket has gone where it was sent. @throws ConnectFailure `guard` */
export function checkPeer(remoteAddress: string | undefined, expected: IpAddress): void {
  const peer = remoteAddress === undefined ? null : parseIpAddress(remoteAddress);
  if (peer === null) throw new ConnectFailure('reset', 'the connection ended as soon as it was there');
  const meant = withoutMapping(peer);
  if (meant.family === expected.family && meant.bits === expected.bits) return;
  throw new ConnectFailure('guard', `the connection went to ${remoteAddress}, not to ${formatIpAddress(expected)}`);
}

function addressIn(text: string): IpAddress {
  const address = parseIpAddress(text);
  // Nobody can say what it is, so it is not connected to.
  if (address === null) throw new ConnectFailure('dns', 'a name server answered with what is no address');
  return withoutMapping(address);
}
