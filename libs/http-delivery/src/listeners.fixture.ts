import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server as TcpServer, type Socket } from 'node:net';

/** A TCP listener that must not be reached, and counts whether it was. */
export interface Forbidden {
  readonly port: number;
  readonly connections: () => number;
  readonly bytes: () => number;
  readonly close: () => void;
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export interface Receiver {
  readonly port: number;
  readonly connections: () => number;
  readonly hosts: (string | undefined)[];
  readonly close: () => void;
}

/** An HTTP server that answers when it has read the body; 204 unless `handle` does otherwise. */
export async function startReceiver(
  host: string,
  handle: Handler = (_, response) => void response.writeHead(204).end(),
): Promise<Receiver> {
  const hosts: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    hosts.push(request.headers.host);
    request.resume().on('end', () => handle(request, response));
  });
  return { ...(await listening(server, host, 0)), hosts, close: () => closed(server) };
}

export async function startForbidden(host: string, port: number): Promise<Forbidden> {
  let bytes = 0;
  const server = createTcpServer((socket) => {
    socket.on('data', (chunk) => (bytes += chunk.length)).on('error', () => socket.destroy());
  });
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket));
  const close = (): void => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { ...(await listening(server, host, port)), bytes: () => bytes, close };
}

/** Counts what connects to a server, and opens it. */
export async function listening(
  server: TcpServer,
  host: string,
  port: number,
): Promise<{ readonly port: number; readonly connections: () => number }> {
  let count = 0;
  server.on('connection', () => (count += 1));
  server.listen(port, host);
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, connections: () => count };
}

export function closed(server: Pick<Server, 'closeAllConnections' | 'close'>): void {
  server.closeAllConnections();
  server.close();
}

/** Joins two sockets until one of them ends. */
export function joined(one: Socket, other: Socket): void {
  one.pipe(other).pipe(one);
  one.on('error', () => other.destroy()).on('close', () => other.destroy());
  other.on('error', () => one.destroy()).on('close', () => one.destroy());
}
