import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** What happens to an answer: it passes, is swallowed, or the connection is cut before it or in its middle; or another comes. */
export type AnswerFate = 'pass' | 'lose' | 'cut' | 'cut-half' | Buffer;

export const api = { produce: 0, fetch: 1, metadata: 3, offsetCommit: 8, joinGroup: 11, heartbeat: 12, syncGroup: 14 };

/**
 * Stands between a client and each broker, reads the frames of Kafka's protocol, and decides about each answer after the
 * broker has carried out the request. Clients come through `route`; brokers need not know.
 */
export class FaultyProxy {
  /** Asked for each answer. `body` begins after the correlation id. */
  onAnswer: (apiKey: number, body: Buffer, broker: number) => AnswerFate = () => 'pass';
  /** An answer in the broker's place, which then never sees the request. */
  onRequest: (apiKey: number) => Buffer | null = () => null;
  /** Requests that reached the brokers, by API key. */
  readonly requests = new Map<number, number>();
  /** While true nothing passes, in either direction; connections stay open. */
  blackHole = false;
  private readonly servers = new Map<number, Promise<Server>>();
  private readonly ports = new Map<number, number>();
  private readonly sockets = new Set<Socket>();

  /** @param ports of the brokers, on 127.0.0.1. */
  static async start(ports: readonly number[]): Promise<FaultyProxy> {
    const proxy = new FaultyProxy();
    for (const port of ports) {
      const server = createServer((client) => proxy.serve(client, port));
      proxy.servers.set(port, Promise.resolve(server));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      proxy.ports.set(port, (server.address() as AddressInfo).port);
    }
    return proxy;
  }

  readonly route = ({ host, port }: { host: string; port: number }): { host: string; port: number } => {
    const through = this.ports.get(port);
    if (through === undefined) throw new Error(`no proxy for ${host}:${port}`);
    return { host: '127.0.0.1', port: through };
  };

  count(apiKey: number): number {
    return this.requests.get(apiKey) ?? 0;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    for (const server of this.servers.values()) (await server).close();
  }

  private serve(client: Socket, port: number): void {
    const broker = connect(port, '127.0.0.1');
    const apis = new Map<number, number>();
    const end = () => {
      client.destroy();
      broker.destroy();
      this.sockets.delete(client);
      this.sockets.delete(broker);
    };
    for (const socket of [client, broker]) {
      this.sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', end);
      socket.on('close', end);
    }
    onFrames(client, (frame) => {
      const apiKey = frame.readInt16BE(4);
      apis.set(frame.readInt32BE(8), apiKey);
      if (this.blackHole) return;
      const instead = this.onRequest(apiKey);
      if (instead !== null) return void client.write(framed(frame.readInt32BE(8), instead));
      this.requests.set(apiKey, this.count(apiKey) + 1);
      broker.write(frame);
    });
    onFrames(broker, (frame) => {
      if (this.blackHole) return;
      const correlation = frame.readInt32BE(4);
      const fate = this.onAnswer(apis.get(correlation) ?? -1, frame.subarray(8), port);
      apis.delete(correlation);
      if (fate === 'pass') client.write(frame);
      else if (fate === 'cut') end();
      else if (fate === 'cut-half') client.write(frame.subarray(0, Math.ceil(frame.length / 2)), () => end());
      else if (fate !== 'lose') client.write(framed(correlation, fate));
    });
  }
}

function framed(correlation: number, body: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeInt32BE(body.length + 4, 0);
  head.writeInt32BE(correlation, 4);
  return Buffer.concat([head, body]);
}

function onFrames(socket: Socket, take: (frame: Buffer) => void): void {
  let bytes: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
    while (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
      const length = 4 + bytes.readInt32BE(0);
      take(bytes.subarray(0, length));
      bytes = bytes.subarray(length);
    }
  });
}
