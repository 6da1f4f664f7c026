import { Pool } from 'undici';

export interface OriginPoolOptions {
  readonly connectTimeoutMs: number;
  readonly connections: number;
  readonly keepAliveMs: number;
  readonly maxOrigins: number;
  readonly idleMs: number;
}

/** The connections to one origin. */
export interface OriginPool {
  readonly origin: string;
  readonly pool: Pool;
  /** Requests that are not done. */
  running: number;
  /** `performance.now()` of the last one's beginning or end. */
  usedAt: number;
}

/** A pool per origin,: those that were not used for a while, or are too many, are closed. */
export class OriginPools {
  readonly #options: OriginPoolOptions;
  readonly #pools = new Map<string, OriginPool>();
  readonly #sweep: NodeJS.Timeout;
  #destroyed = false;

  constructor(options: OriginPoolOptions) {
    this.#options = options;
    this.#sweep = setInterval(() => this.#letGoOfIdle(), Math.max(100, options.idleMs / 4)).unref();
  }

  get isDestroyed(): boolean {
    return this.#destroyed;
  }

  /** Counts a request in; `done` must follow. Throws when the origin is not one, or after `destroy`. */
  take(origin: string): OriginPool {
    if (this.#destroyed) throw new Error('the sender is closed');
    let entry = this.#pools.get(origin);
    if (entry === undefined) {
      entry = { origin, pool: this.#open(origin), running: 0, usedAt: 0 };
      this.#pools.set(origin, entry);
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
    await Promise.all(pools.map(({ pool }) => pool.destroy()));
  }

  #open(origin: string): Pool {
    const { connections, connectTimeoutMs, keepAliveMs } = this.#options;
    return new Pool(origin, {
      connections,
      pipelining: 1,
      // HTTP/2 would share one connection among the endpoints of a host: a hanging one could then starve the others.
      allowH2: false,
      connect: { timeout: connectTimeoutMs },
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
    this.#pools.delete(entry.origin);
    // Nothing runs on it: destroying it closes idle sockets, and cannot fail a request.
    void entry.pool.destroy();
  }
}
