import { RateLimiter, type RateLimitConfig } from '#libs/core';
import type { Replay } from './replay-directory.js';

/**
 * The rates of replays at one endpoint, beside its own (invariant 4 holds for each). A limiter is kept until its burst is
 * there again, also while nothing of its replay waits. Times are of a monotonic clock, in ms.
 */
export class ReplayRates {
  readonly #replayOf: (stream: string) => Replay | undefined;
  readonly #limiters = new Map<string, { limiter: RateLimiter; config: RateLimitConfig }>();

  constructor(replayOf: (stream: string) => Replay | undefined) {
    this.#replayOf = replayOf;
  }

  /** When the next one of a stream may be sent; what will not be sent need not wait for that. */
  nextAt(stream: string, now: number): number {
    const replay = this.#replayOf(stream);
    if (replay === undefined || replay.state !== 'running') return now;
    return this.#limiterOf(stream, replay, now)?.nextAt(now) ?? now;
  }

  /** One was sent. */
  take(stream: string, now: number): void {
    const replay = this.#replayOf(stream);
    if (replay !== undefined) this.#limiterOf(stream, replay, now)?.take(now);
  }

  /** What was sent last goes out only now, `ms` later. */
  postpone(stream: string, ms: number): void {
    this.#limiters.get(stream)?.limiter.postpone(ms);
  }

  /** Replays were changed: what was spent until now was spent of the rate until now. */
  changed(now: number): void {
    for (const stream of this.#limiters.keys()) {
      const replay = this.#replayOf(stream);
      if (replay === undefined) this.#limiters.delete(stream);
      else this.#limiterOf(stream, replay, now);
    }
  }

  /** Whether new ones would be just the same. */
  isAtRest(now: number): boolean {
    for (const [stream, { limiter }] of this.#limiters) if (limiter.isAtRest(now)) this.#limiters.delete(stream);
    return this.#limiters.size === 0;
  }

  #limiterOf(stream: string, { rateLimit }: Replay, now: number): RateLimiter | null {
    const known = this.#limiters.get(stream);
    if (rateLimit === null) {
      if (known !== undefined) this.#limiters.delete(stream);
      return null;
    }
    if (known === undefined) {
      const limiter = new RateLimiter(rateLimit, now);
      this.#limiters.set(stream, { limiter, config: rateLimit });
      return limiter;
    }
    if (known.config !== rateLimit) {
      known.limiter.change(rateLimit, now);
      known.config = rateLimit;
    }
    return known.limiter;
  }
}
