import type { CircuitConfig } from './circuit-config.js';
import { CircuitRamp } from './circuit-ramp.js';
import { FailureWindow } from './failure-window.js';
import type { AttemptErrorKind, PostResult } from './post-result.js';

/** What an answer says: the endpoint lives, it does not, or nothing of it. */
export type LifeSign = 'alive' | 'failed' | 'unclear';

const timeout = 408;
const tooMany = 429;

const ours: ReadonlySet<AttemptErrorKind> = new Set(['undeliverable', 'guard', 'proxy', 'aborted']);

/** Any answer shows that there is life, but one that says "not now" (408, 429, 5xx); what was never sent shows nothing. */
export function lifeSign(result: PostResult): LifeSign {
  if (result.kind === 'response') {
    const { status } = result;
    return status >= 500 || status === timeout || status === tooMany ? 'failed' : 'alive';
  }
  const { kind } = result.error;
  return ours.has(kind) ? 'unclear' : 'failed';
}

/**
 * Leaves a failing endpoint alone: nothing is sent while it is open, so no attempts are burnt. After a while a single
 * POST probes; when that shows life, the backlog is ramped. Answers to POSTs from before it opened tell nothing of now,
 * so, unless closed, it knows its POSTs by identity. Times are ms of a clock that never goes back.
 */
export class Circuit<T> {
  readonly #window = new FailureWindow();
  #failuresInRow = 0;
  /** When it may probe, or might when it went on its ramp; Infinity while it is closed. */
  #probeAt = Infinity;
  /** What it stayed open for the last time; 0 when the endpoint has come through a ramp since. */
  #openMs = 0;
  #ramp: CircuitRamp | null = null;
  /** On their way, started by a probe or the ramp. */
  readonly #counted = new Set<T>();

  get state(): 'closed' | 'open' | 'ramp' {
    if (this.#ramp !== null) return 'ramp';
    return this.#probeAt === Infinity ? 'closed' : 'open';
  }

  /** When the next POST may start: `now` if it may; Infinity when an answer must come first. */
  nextAt(now: number): number {
    if (this.#ramp !== null) return this.#counted.size < this.#ramp.level ? this.#ramp.nextAt(now) : Infinity;
    if (this.#probeAt === Infinity) return now;
    return this.#counted.size === 0 ? Math.max(now, this.#probeAt) : Infinity;
  }

  /** How long it stays open at least, in ms; null when it is not. */
  openMs(now: number): number | null {
    return this.state === 'open' ? Math.max(0, this.#probeAt - now) : null;
  }

  /** In how many ms it may be probed, not above 0 while it is probed or ramped; null when it is closed. */
  probeInMs(now: number): number | null {
    return this.state === 'closed' ? null : this.#probeAt - now;
  }

  posted(post: T, now: number): void {
    if (this.state === 'closed') return;
    this.#counted.add(post);
    this.#ramp?.posted(now);
  }

  /** @param limit POSTs that the endpoint is allowed to have on their way */
  landed(post: T, sign: LifeSign, config: CircuitConfig, limit: number, now: number): void {
    const { state } = this;
    if (state !== 'closed' && !this.#counted.delete(post)) return;
    if (sign === 'unclear') return;
    if (state === 'open') {
      if (sign === 'failed') this.#open(config, now);
      else this.#beginRamp(now);
      return;
    }
    this.#window.add(sign === 'failed', config.windowMs, now);
    if (sign === 'failed') {
      this.#failuresInRow += 1;
      if (this.#isTooMuch(config, now)) this.#open(config, now);
      return;
    }
    this.#failuresInRow = 0;
    if (this.#ramp?.succeeded(limit, now) === true) this.#close();
  }

  /** Whether a new one would do as well: nothing failed of late, or it has had nothing to do for long. */
  isAtRest(config: CircuitConfig, now: number): boolean {
    if (this.#counted.size > 0) return false;
    if (this.#ramp !== null) return now - this.#ramp.since >= config.windowMs;
    if (this.#probeAt !== Infinity) return now - this.#probeAt >= config.maxOpenMs;
    return this.#window.failures(config.windowMs, now) === 0;
  }

  #isTooMuch(config: CircuitConfig, now: number): boolean {
    // On the ramp, as many in a row as it allows at once are enough: it is still a probe.
    const inRow = Math.min(config.consecutiveFailures, this.#ramp?.level ?? Infinity);
    if (this.#failuresInRow >= inRow) return true;
    const requests = this.#window.requests(config.windowMs, now);
    return (
      requests >= config.minRequests && this.#window.failures(config.windowMs, now) >= requests * config.failureShare
    );
  }

  #open(config: CircuitConfig, now: number): void {
    this.#openMs = Math.min(config.maxOpenMs, this.#openMs === 0 ? config.openMs : this.#openMs * 2);
    this.#probeAt = now + this.#openMs;
    this.#ramp = null;
    this.#counted.clear();
  }

  #beginRamp(now: number): void {
    this.#ramp = new CircuitRamp(now);
    this.#failuresInRow = 0;
    this.#window.clear();
  }

  #close(): void {
    this.#ramp = null;
    this.#probeAt = Infinity;
    this.#openMs = 0;
    this.#counted.clear();
  }
}
