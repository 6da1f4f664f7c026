import { createRequire } from 'node:module';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { BrokerTls, KafkaConnection } from './ports.js';

/**
 * One connection to one broker, over kafkajs's `Connection` and request encoders (frozen at 2.2.4, so its inner modules
 * may be named here; nothing else does).
 *
 * A connection is never used again once it has failed: kafkajs keeps the half of an answer that came before a cut and
 * glues the next connection's first bytes to it. And errors of answers stay data (`errorCode`): kafkajs throws the first
 * one and drops what the other partitions answered.
 */

interface KafkajsRequest {
  readonly request: { apiKey: number; apiVersion: number; apiName: string; encode(): Promise<unknown> };
  readonly response: { decode(raw: Buffer): Promise<unknown> };
  readonly requestTimeout?: number;
}
interface KafkajsDefinition {
  readonly versions: readonly string[];
  protocol(of: { version: number }): (args: object) => KafkajsRequest;
}
interface KafkajsConnection {
  connect(): Promise<unknown>;
  isConnected(): boolean;
  send(what: {
    request: KafkajsRequest['request'];
    response: { decode(raw: Buffer): Promise<unknown>; parse(decoded: unknown): unknown };
    requestTimeout?: number;
    logResponseError?: boolean;
  }): Promise<unknown>;
  setVersions(versions: object): void;
  setSupportAuthenticationProtocol(supported: boolean): void;
}
interface KafkajsLog {
  readonly namespace: string;
  readonly label: string;
  readonly log: { message: string };
}

const require = createRequire(import.meta.url);
const Connection = require('kafkajs/src/network/connection') as new (options: object) => KafkajsConnection;
const { requests } = require('kafkajs/src/protocol/requests') as { requests: Record<string, KafkajsDefinition> };
const { createLogger, LEVELS } = require('kafkajs/src/loggers') as {
  createLogger: (options: { level: number; logCreator: () => (entry: KafkajsLog) => void }) => unknown;
  LEVELS: { WARN: number };
};
const { errorCodes } = require('kafkajs/src/protocol/error') as {
  errorCodes: readonly { code: number; type: string; message: string }[];
};

/** Kafka's name of an error code, for messages. */
export function errorName(code: number): string {
  return errorCodes.find((known) => known.code === code)?.type ?? `error ${code}`;
}

/** The network failed, or a broker did not answer in time. Whether the request was carried out is unknown. */
export class LinkFailure extends Error {
  override readonly name = 'LinkFailure';
}

export interface LinkTuning {
  /** A request without an answer ends after this; the connection with it. */
  readonly requestTimeoutMs: number;
  readonly connectTimeoutMs: number;
  /** Where to connect for an advertised address; tests put a proxy between. */
  readonly route?: (address: { host: string; port: number }) => { host: string; port: number };
}

/** Body of a request that we encode ourselves. */
export interface OwnRequest {
  readonly apiKey: number;
  readonly apiName: string;
  readonly apiVersion: number;
  readonly body: Buffer;
}

export class BrokerLink {
  private failed = false;

  private constructor(
    private readonly connection: KafkajsConnection,
    private readonly versions: ReadonlyMap<number, number>,
    private readonly socketOf: () => Socket | undefined,
  ) {}

  /** Connects and learns which versions the broker speaks. Throws `LinkFailure`. */
  static async open(
    address: { host: string; port: number },
    kafka: KafkaConnection,
    tuning: LinkTuning,
  ): Promise<BrokerLink> {
    let socket: Socket | undefined;
    const tls = kafka.tls === true ? {} : kafka.tls === false ? null : (kafka.tls ?? null);
    const connection = new Connection({
      ...address,
      clientId: kafka.clientId,
      ssl: tls,
      // kafkajs keeps there what logs in: with this password, whatever comes later.
      sasl: kafka.sasl ? { ...kafka.sasl } : null,
      connectionTimeout: tuning.connectTimeoutMs,
      requestTimeout: tuning.requestTimeoutMs,
      enforceRequestTimeout: true,
      logger: kafkajsLogger(kafka),
      socketFactory: ({ onConnect }: { onConnect: () => void }) => {
        const target = tuning.route?.(address) ?? address;
        socket = openSocket(target, tls, onConnect);
        return socket;
      },
    });
    const versions = new Map<number, number>();
    const link = new BrokerLink(connection, versions, () => socket);
    try {
      await connection.connect();
      const answer = (await link.dispatch(kafkajsRequest('ApiVersions', 2, {}), undefined)) as {
        apiVersions: readonly { apiKey: number; maxVersion: number }[];
      };
      for (const { apiKey, maxVersion } of answer.apiVersions) versions.set(apiKey, maxVersion);
      connection.setVersions(
        Object.fromEntries(answer.apiVersions.map(({ apiKey, maxVersion }) => [apiKey, { minVersion: 0, maxVersion }])),
      );
      connection.setSupportAuthenticationProtocol(versions.has(saslAuthenticateKey));
      return link;
    } catch (cause) {
      link.cut();
      throw new LinkFailure(`no connection to ${address.host}:${address.port}: ${messageOf(cause)}`, { cause });
    }
  }

  get usable(): boolean {
    return !this.failed && this.connection.isConnected();
  }

  /** Sends a request by kafkajs's encoder and decoder. Throws `LinkFailure` alone; errors of the broker are in the answer. */
  async call<Answer>(name: string, apiKey: number, args: object, timeoutMs?: number): Promise<Answer> {
    const known = Math.max(...(requests[name]?.versions ?? ['0']).map(Number));
    const request = kafkajsRequest(name, Math.min(known, this.versions.get(apiKey) ?? known), args);
    return (await this.dispatch(request, timeoutMs ?? request.requestTimeout)) as Answer;
  }

  /** Sends a request whose body is encoded already, and returns the raw body of the answer. */
  async callRaw({ body, ...request }: OwnRequest, timeoutMs?: number): Promise<Buffer> {
    const encoded = { buf: body, buffer: body, size: () => body.length };
    const raw = await this.dispatch(
      {
        request: { ...request, encode: () => Promise.resolve(encoded) },
        response: { decode: (it) => Promise.resolve({ raw: it }) },
      },
      timeoutMs,
    );
    return (raw as { raw: Buffer }).raw;
  }

  /** Ends the connection now; requests under way fail. */
  cut(): void {
    this.failed = true;
    // kafkajs hears of 'error' and 'end' only, not of 'close'.
    this.socketOf()?.destroy(new Error('connection given up'));
  }

  private async dispatch({ request, response }: KafkajsRequest, timeoutMs: number | undefined): Promise<unknown> {
    try {
      return await this.connection.send({
        request,
        response: { decode: (raw) => response.decode(raw), parse: (decoded) => decoded },
        ...(timeoutMs === undefined ? {} : { requestTimeout: timeoutMs }),
      });
    } catch (cause) {
      this.cut();
      throw new LinkFailure(`${request.apiName} got no answer: ${messageOf(cause)}`, { cause });
    }
  }
}

const saslAuthenticateKey = 36;

function kafkajsRequest(name: string, version: number, args: object): KafkajsRequest {
  const definition = requests[name];
  if (definition === undefined) throw new Error(`kafkajs has no request ${name}`);
  return definition.protocol({ version })(args);
}

function openSocket(target: { host: string; port: number }, tls: BrokerTls | null, onConnect: () => void): Socket {
  // Verified whatever Node is told by its environment.
  const verified = { ...tls, ...target, rejectUnauthorized: true };
  const socket = tls
    ? connectTls({ ...verified, ...(isIP(target.host) === 0 ? { servername: target.host } : {}) }, onConnect)
    : connectTcp(target, onConnect);
  socket.setKeepAlive(true, 30_000);
  // A batch must not wait for the acknowledgement of the one before (Nagle).
  socket.setNoDelay(true);
  return socket;
}

/** What kafkajs calls an error is something that we try again, and report ourselves when it matters. */
function kafkajsLogger(kafka: KafkaConnection): unknown {
  return createLogger({
    level: LEVELS.WARN,
    logCreator:
      () =>
      ({ namespace, label, log: { message, ...details } }) =>
        kafka.log?.({ level: 'debug', message: `kafkajs ${namespace}: ${message}`, details: { label, ...details } }),
  });
}

export function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
