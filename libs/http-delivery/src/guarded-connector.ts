import type { Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import type { buildConnector } from 'undici';
import { addressOfHost, formatIpAddress, portOf, type IpAddress, type NetworkRules } from '#libs/core';
import { checkedAddresses, checkPeer } from './checked-addresses.js';
import { firstThatOpens, tooLate, unlessAborted } from './first-that-opens.js';
import { openTunnel, type Proxy } from './proxy-tunnel.js';
import type { ResolveHost } from './resolve-host.js';
import { openTcp, openTls } from './sockets.js';

export interface ConnectorPorts {
  readonly rules: NetworkRules;
  readonly resolve: ResolveHost;
  readonly proxy: Proxy | null;
  /** For all of it: resolving, connecting, the handshake. */
  readonly timeoutMs: number;
  /** Connections that are being made: aborted when the sender is closed. */
  readonly opening: Set<AbortController>;
}

export interface SecureIdentity {
  readonly context: SecureContext;
  /** Asked for and looked for in the certificate; undefined: the URL's host. */
  readonly servername: string | undefined;
}

/** Of a host's addresses, how many are tried. */
const triedAddresses = 4;

/** undici's way to connect to one origin, with the guard before each connection: resolve once, look, go exactly there. */
export function guardedConnector(
  origin: URL,
  identity: SecureIdentity,
  ports: ConnectorPorts,
): buildConnector.connector {
  const { timeoutMs, opening } = ports;
  const secure = origin.protocol === 'https:' ? securing(origin, identity) : null;
  const open = async (signal: AbortSignal): Promise<Socket> => {
    const socket = await openGuarded(origin, ports, signal);
    return secure === null ? socket : secure(socket, signal);
  };
  return (_, tell) => {
    const controller = new AbortController();
    opening.add(controller);
    const timer = setTimeout(() => controller.abort(tooLate(timeoutMs)), timeoutMs);
    const over = (): void => {
      clearTimeout(timer);
      opening.delete(controller);
    };
    open(controller.signal)
      .finally(over)
      .then(
        // Not within the promise, which would swallow what undici throws.
        (socket) => queueMicrotask(() => tell(null, socket)),
        (error: Error) => queueMicrotask(() => tell(error, null)),
      );
  };
}

async function openGuarded(origin: URL, ports: ConnectorPorts, signal: AbortSignal): Promise<Socket> {
  const { rules, resolve, proxy, timeoutMs } = ports;
  const addresses = await unlessAborted(checkedAddresses(origin, rules, resolve), signal);
  const isProxied =
    proxy !== null && (origin.protocol === 'https:' || proxy.forHttp) && !proxy.isBypassed(bareHost(origin), addresses);
  const port = portOf(origin);
  const open = isProxied
    ? (address: IpAddress, share: AbortSignal) => openTunnel(proxy, authorityOf(address, port), share)
    : (address: IpAddress, share: AbortSignal) => openDirect(address, port, share);
  return firstThatOpens(addresses.slice(0, triedAddresses), open, signal, timeoutMs);
}

/** Not a byte is written before it is seen where the connection has gone. */
async function openDirect(address: IpAddress, port: number, signal: AbortSignal): Promise<Socket> {
  const socket = await openTcp(formatIpAddress(address), port, signal);
  try {
    checkPeer(socket.remoteAddress, address);
  } catch (error) {
    socket.destroy();
    throw error;
  }
  return socket;
}

/** Speaks TLS with the name, whatever address was connected to; goes on with the last session where the server lets it. */
function securing(origin: URL, identity: SecureIdentity): (socket: Socket, signal: AbortSignal) => Promise<Socket> {
  const host = bareHost(origin);
  // An address is no name that could be asked for (RFC 6066 §3); the certificate must hold it all the same.
  const servername = identity.servername ?? (addressOfHost(host) === null ? host : undefined);
  const constant = {
    host,
    secureContext: identity.context,
    // HTTP/2 is not spoken here.
    ALPNProtocols: ['http/1.1'],
    ...(servername === undefined ? {} : { servername }),
  };
  let session: Buffer | undefined;
  const keep = (next: Buffer): void => void (session = next);
  return (socket, signal) =>
    openTls({ ...constant, socket, ...(session === undefined ? {} : { session }) }, keep, signal);
}

const bareHost = ({ hostname }: URL): string => hostname.replace(/^\[|\]$/g, '');

const authorityOf = (address: IpAddress, port: number): string => {
  const host = formatIpAddress(address);
  return `${address.family === 4 ? host : `[${host}]`}:${port}`;
};
