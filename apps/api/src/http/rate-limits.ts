import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '../problem/app-error.js';

/** So many requests in each window, of each key. */
export interface Quota {
  /** As the `RateLimit-Policy` header names it. */
  readonly name: string;
  /** 0: no limit. */
  readonly limit: number;
}
/** What is left after a request. */
export interface Spent {
  readonly allowed: boolean;
  readonly remaining: number;
  /** Until the window ends, in seconds. */
  readonly reset: number;
}

const windowSeconds = 60;
const mostKeys = 10_000;

/**
 * Counts requests by key in windows of a minute, in this process's memory: with several processes a key has as much in each.
 * Keys of windows that are over are forgotten; there are never more than `mostKeys`.
 */
export class RequestCounts {
  readonly #counts = new Map<string, number>();
  #window = -1;

  constructor(private readonly limit: number) {}

  /** @param now Unix ms */
  spend(key: string, now: number): Spent {
    const window = Math.floor(now / (windowSeconds * 1_000));
    if (window !== this.#window) {
      this.#window = window;
      this.#counts.clear();
    }
    const count = (this.#counts.get(key) ?? 0) + 1;
    // Whom there is no room for is not counted: keys are the operator's to give out, so this is no way around the limit.
    if (count > 1 || this.#counts.size < mostKeys) this.#counts.set(key, count);
    return {
      allowed: count <= this.limit,
      remaining: Math.max(0, this.limit - count),
      reset: Math.ceil((window + 1) * windowSeconds - now / 1_000),
    };
  }
}

export interface RateLimitOptions {
  /** Null: the route is not limited. */
  readonly quotaOf: (request: FastifyRequest) => Quota | null;
  /** Who asks, known by now. */
  readonly keyOf: (request: FastifyRequest) => string;
  readonly now: () => number;
}

/** `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10) on each answer; 429 beyond. */
export function installRateLimits(server: FastifyInstance, { quotaOf, keyOf, now }: RateLimitOptions): void {
  const counts = new Map<Quota, RequestCounts>();
  server.addHook('onRequest', (request, reply, done) => {
    const quota = quotaOf(request);
    if (quota === null || quota.limit === 0) {
      done();
      return;
    }
    let counted = counts.get(quota);
    if (counted === undefined) counts.set(quota, (counted = new RequestCounts(quota.limit)));
    const spent = counted.spend(keyOf(request), now());
    tell(reply, quota, spent);
    done(spent.allowed ? undefined : refused(quota, spent));
  });
}

function tell(reply: FastifyReply, { name, limit }: Quota, { remaining, reset }: Spent): void {
  reply.header('ratelimit-policy', `"${name}";q=${limit};w=${windowSeconds}`);
  reply.header('ratelimit', `"${name}";r=${remaining};t=${reset}`);
}

const refused = ({ limit }: Quota, { reset }: Spent): AppError =>
  new AppError('rate-limited', `This key may make ${limit} of these requests a minute. Try again in ${reset} s.`, {
    headers: { 'retry-after': String(reset) },
  });
