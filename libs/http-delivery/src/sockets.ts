import { connect, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';

const keepAliveAfterMs = 60_000;

/** @param host an address: nothing is resolved here */
export function openTcp(host: string, port: number, signal: AbortSignal): Promise<Socket> {
  const socket = connect({ host, port });
  socket.setNoDelay(true).setKeepAlive(true, keepAliveAfterMs);
  return opened(socket, 'connect', signal);
}

/**
 * Speaks TLS over a connection that is there.
 * @param onSession is given what may be passed as `session` the next time
 */
export function openTls(
  options: ConnectionOptions & { readonly socket: Socket },
  onSession: (session: Buffer) => void,
  signal: AbortSignal,
): Promise<TLSSocket> {
  // Said here, so that NODE_TLS_REJECT_UNAUTHORIZED cannot turn it off.
  const socket = connectTls({ ...options, rejectUnauthorized: true });
  return opened(socket.on('session', onSession), 'secureConnect', signal);
}

/** Rejects with the signal's reason, or the socket's error; the socket is destroyed then. */
function opened<S extends Socket>(socket: S, event: 'connect' | 'secureConnect', signal: AbortSignal): Promise<S> {
  return new Promise((resolve, reject) => {
    const stop = (): void => void socket.destroy(signal.reason as Error);
    const settled = (): void => signal.removeEventListener('abort', stop);
    // Stays for good: an error between two owners of the socket must not end the process.
    socket.on('error', (error) => {
      settled();
      reject(error);
    });
    socket.once('close', () => {
      settled();
      reject(Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' }));
    });
    socket.once(event, () => {
      settled();
      resolve(socket);
    });
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}
