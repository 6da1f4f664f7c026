import type { RateLimitConfig } from './rate-limit-config.js';

const periodsMs = { second: 1_000, minute: 60_000, hour: 3_600_000 } as const;
/** Far above what adding up fractions of a millisecond loses, far below the distance between two takes. */
const roundingMs = 1e-6;

/**
 * The generic cell rate algorithm: in any window of length w at most burst + limit · w / period takes (invariant 4). Its
 * whole state is one time. Times are ms of a clock that never goes back.
 */
export class RateLimiter {
  #config: RateLimitConfig;
  /** Between two takes once the burst is spent, in ms. */
  #interval: number;
  /** When the whole burst is there again. */
  #fullAt: number;

  constructor(config: RateLimitConfig, now: number) {
    this.#config = config;
    this.#interval = intervalOf(config);
    this.#fullAt = now;
  }

  /** Takes that are given back per ms. */
  get perMs(): number {
    return 1 / this.#interval;
  }

  /** Takes one, if it may be taken now. */
  take(now: number): boolean {
    if (this.nextAt(now) > now) return false;
    this.#fullAt = Math.max(this.#fullAt, now) + this.#interval;
    return true;
  }

  /** What was taken last is used only now, `ms` later: so are those after it. */
  postpone(ms: number): void {
    this.#fullAt += ms;
  }

  /** When the next one may be taken; `now` if it may be now. */
  nextAt(now: number): number {
    const at = this.#fullAt - (this.#config.burst - 1) * this.#interval;
    return at - roundingMs <= now ? now : at;
  }

  /** As many takes as were spent stay spent, up to the new burst: less than that would allow a burst with each change. */
  change(config: RateLimitConfig, now: number): void {
    const old = this.#config;
    if (config.limit === old.limit && config.per === old.per && config.burst === old.burst) return;
    const spent = Math.max(0, this.#fullAt - now) / this.#interval;
    this.#config = config;
    this.#interval = intervalOf(config);
    this.#fullAt = now + Math.min(spent, config.burst) * this.#interval;
  }

  /** Whether a new one would be just the same. */
  isAtRest(now: number): boolean {
    return this.#fullAt <= now;
  }
}

const intervalOf = ({ limit, per }: RateLimitConfig): number => periodsMs[per] / limit;
