import { createSecureContext, type SecureContext } from 'node:tls';
import { Pool } from 'undici';
import { secureContextOf, tlsKeyOf, type ClientTls } from './client-tls.js';
import { ConnectFailure } from './connect-failure.js';
import { guardedConnector, type ConnectorPorts } from './guarded-connector.js';

export interface OriginPoolOptions {
  readonly connecting: Omit<ConnectorPorts, 'opening'>;
  readonly connections: number;
  readonly keepAliveMs: number;
  readonly maxOrigins: number;
  readonly idleMs: number;
}

/** The connections to one origin, with one way of speaking TLS. */
export interface OriginPool {
  readonly key: string;
  readonly pool: Pool;
  /** Requests that are not done. */
  running: number;
  /** `performance.now()` of the last one's beginning or end. */
  usedAt: number;
}

/** A pool per origin and client certificate: those that were not used for a while, or are too many, are closed. */
export class OriginPools {
  readonly #options: OriginPoolOptions;
  readonly #pools = new Map<string, OriginPool>();
  readonly #sweep: NodeJS.Timeout;
  readonly #opening = new Set<AbortController>();
  /** Of those without certificates of their own. */
  #context: SecureContext | undefined;
  #destroyed = false;

  constructor(options: OriginPoolOptions) {
    this.#options = options;
    this.#sweep = setInterval(() => this.#letGoOfIdle(), Math.max(100, options.idleMs / 4)).unref();
  }

  /**
   * Counts a request in; `done` must follow.
   * @throws when the origin is not one; ConnectFailure when the certificates are none, and after `destroy`
   */
  take(origin: string, tls?: ClientTls): OriginPool {
    if (this.#destroyed) throw closed();
    const key = tls === undefined ? origin : `${origin} ${tlsKeyOf(tls)}`;
    let entry = this.#pools.get(key);
    if (entry === undefined) {
      entry = { key, pool: this.#open(new URL(origin), tls), running: 0, usedAt: 0 };
      this.#pools.set(key, entry);
      if (this.#pools.size > this.#options.maxOrigins) this.#letGoOfOne();
    }
    entry.running += 1;
    return entry;
  }

  done(entry: OriginPool): void {
    entry.running -= 1;
    entry.usedAt = performance.now();
  }

  async destroy(): Promise<void> {
    this.#destroyed = true;
    clearInterval(this.#sweep);
    const pools = [...this.#pools.values()];
    this.#pools.clear();
    for (const one of this.#opening) one.abort(closed());
    await Promise.all(pools.map(({ pool }) => pool.destroy()));
  }

  #open(origin: URL, tls: ClientTls | undefined): Pool {
    const { connections, connecting, keepAliveMs } = this.#options;
    const context = tls === undefined ? (this.#context ??= createSecureContext()) : secureContextOf(tls);
    const identity = { context, servername: tls?.servername };
    return new Pool(origin, {
      connections,
      pipelining: 1,
      // HTTP/2 would share one connection among the endpoints of a host: a hanging one could then starve the others.
      allowH2: false,
      connect: guardedConnector(origin, identity, { ...connecting, opening: this.#opening }),
      keepAliveTimeout: keepAliveMs,
      keepAliveMaxTimeout: Math.max(keepAliveMs, 60_000),
    });
  }

  #letGoOfIdle(): void {
    const limit = performance.now() - this.#options.idleMs;
    for (const entry of this.#pools.values()) {
      if (entry.running === 0 && entry.usedAt <= limit) this.#letGo(entry);
    }
  }

  /** Beyond the bound: the one that has been idle longest. If all are at work, the bound is exceeded for as long. */
  #letGoOfOne(): void {
    let longest: OriginPool | undefined;
    for (const entry of this.#pools.values()) {
      if (entry.running === 0 && entry.usedAt > 0 && entry.usedAt < (longest?.usedAt ?? Infinity)) longest = entry;
    }
    if (longest !== undefined) this.#letGo(longest);
  }

  #letGo(entry: OriginPool): void {
    this.#pools.delete(entry.key);
    // Nothing runs on it: destroying it closes idle sockets, and cannot fail a request.
    void entry.pool.destroy();
  }
}

const closed = (): ConnectFailure => new ConnectFailure('aborted', 'the sender is closed');
