import {
  AdaptiveLimit,
  Circuit,
  isTestStream,
  lifeSign,
  loadSign,
  RateLimiter,
  type LaneQueueBounds,
  type PostResult,
  type RateLimitConfig,
} from '#libs/core';
import type { Clock } from './clock.js';
import { Flow } from './flow.js';
import type { LaneSettings } from './lane-settings.js';
import { LaneWork, type Waiting } from './lane-work.js';
import { NearSpills } from './near-spills.js';
import type { Replay } from './replay-directory.js';
import { ReplayRates } from './replay-rates.js';

/** A limit that overload has lowered is forgotten when the endpoint had nothing to do for so long. */
const forgetLimitMs = 300_000;
const paceMs = 5_000;
const mostNear = 10_000;

/**
 * An endpoint's work in this worker: what waits, how much of it is on its way, and what is known of the endpoint's pace
 * and health. Times are of a monotonic clock, in ms.
 */
export class Lane<T extends Waiting> {
  readonly work: LaneWork<T>;
  /** Of replays, beside the endpoint's own. */
  readonly rates: ReplayRates;
  /** Successes, of the last second … */
  readonly flow: Flow;
  /** … and of some seconds: what breaks off for a moment is not slow. */
  readonly #pace: Flow;
  readonly #circuit = new Circuit<T>();
  readonly #adaptive = new AdaptiveLimit();
  #limiter: RateLimiter | null = null;
  #rateLimit: RateLimitConfig | null = null;
  #near: NearSpills | null = null;
  /** POSTs without an answer yet. */
  inFlight = 0;
  /** Batches whose record is not acknowledged yet: each will be a POST. */
  forming = 0;
  /** Taken from the queue, and what follows from it not acknowledged by the log yet; POSTs in flight included. */
  outstanding = 0;
  /** Waits for its turn (see Lanes). */
  inTurn = false;
  /** … and has fresh work. */
  freshInTurn = false;
  /** Its head was made with a configuration that was not read yet, or waits for a token. */
  held = false;
  /** Its timer is not wanted any more. */
  callOff: () => void = () => undefined;
  /** When it wakes it; Infinity without one. */
  #wakesAt = Infinity;
  idleSince = 0;

  constructor(
    readonly endpointId: string,
    /** Of `deliveries`: an endpoint lies in one. */
    readonly partition: number,
    bounds: LaneQueueBounds,
    now: number,
    replayOf: (stream: string) => Replay | undefined,
  ) {
    this.work = new LaneWork(bounds);
    this.rates = new ReplayRates(replayOf);
    this.flow = new Flow(now);
    this.#pace = new Flow(now, paceMs);
  }

  get isIdle(): boolean {
    return this.outstanding === 0 && this.inFlight === 0 && this.work.ready === 0 && this.work.blocked === 0;
  }

  /** How long its circuit stays open at least; null when it is not open. */
  circuitOpenMs(now: number): number | null {
    return this.#circuit.openMs(now);
  }

  /**
   * In how many ms its circuit may be probed, not above 0 while it is probed or ramped; null when it is closed, or has
   * nothing more to ramp with.
   */
  probeInMs(now: number): number | null {
    return this.#circuit.state === 'ramp' && this.isIdle ? null : this.#circuit.probeInMs(now);
  }

  /**
   * When the next one may start: `now` if it may; Infinity when something must happen first. What is not acknowledged is
   * bounded too: after a kill it would all be sent again.
   */
  startableAt(settings: LaneSettings, now: number): number {
    const { maxInFlight, adaptive } = settings;
    if (this.held || this.work.ready === 0 || this.outstanding >= maxInFlight * 4 + 64) return Infinity;
    if (this.inFlight + this.forming >= (adaptive ? this.#adaptive.within(maxInFlight) : maxInFlight)) return Infinity;
    // One that waits for its turn of the rate could have been larger.
    if (this.forming > 0 && settings.rateLimit !== null) return Infinity;
    const limitedAt = this.#limiterOf(settings, now)?.nextAt(now) ?? now;
    // Also while its circuit is open: whoever mends an endpoint wants to see whether it is mended.
    if (this.work.hasTest) return limitedAt;
    const workAt = this.work.nextAt(now, (stream) => this.rates.nextAt(stream, now), settings.batch);
    return Math.max(this.#circuit.nextAt(now), limitedAt, workAt);
  }

  /** Has `wake` called at `at`, unless it is called earlier. Infinity: not at all. */
  wakeAt(at: number, now: number, schedule: Clock['schedule'], wake: (lane: this) => void): void {
    if (at >= this.#wakesAt) return;
    this.callOff();
    this.#wakesAt = at;
    this.callOff = schedule(Math.max(1, Math.ceil(at - now)), () => {
      this.#wakesAt = Infinity;
      wake(this);
    });
  }

  /** Takes the next one to start. */
  take({ batch }: LaneSettings, now: number): T | undefined {
    return this.work.take(now, (stream) => this.rates.nextAt(stream, now), batch);
  }

  /** What was taken last is on its way as a POST: only now does it cost anything. */
  posted(item: T, settings: LaneSettings, now: number): void {
    this.inFlight += 1;
    this.work.sent();
    this.#limiterOf(settings, now)?.take(now);
    if (isTestStream(item.stream)) return;
    this.rates.take(item.stream, now);
    this.#circuit.posted(item, now);
  }

  /** The POST that was taken last goes out only now, `ms` later. */
  postedLate(item: T, ms: number, settings: LaneSettings, now: number): void {
    this.#limiterOf(settings, now)?.postpone(ms);
    this.rates.postpone(item.stream, ms);
  }

  /** What a test shows is for whoever sent it: no lane, circuit or limit goes by it. */
  landed(item: T, result: PostResult, settings: LaneSettings, now: number): void {
    if (isTestStream(item.stream)) return;
    if (isSuccess(result)) {
      this.flow.add(now, item.weight);
      this.#pace.add(now, item.weight);
    }
    this.#circuit.landed(item, lifeSign(result), settings.circuit, settings.maxInFlight, now);
    if (settings.adaptive) this.#adaptive.landed(loadSign(result), settings.maxInFlight, this.inFlight);
  }

  /** Whether its rate, and nothing else, holds what is ready. */
  isRateLimited(settings: LaneSettings, now: number): boolean {
    const nextAt = this.#limiterOf(settings, now)?.nextAt(now) ?? now;
    return nextAt > now && this.#circuit.nextAt(now) <= now && this.startableAt(settings, now) === nextAt;
  }

  /** Whether all that waits of the live stream would be through within `ms`: replays are sent beside it. */
  drainsIn(ms: number, settings: LaneSettings, now: number): boolean {
    if (this.held || this.#circuit.openMs(now) !== null) return false;
    return this.#drains(this.flow, this.work.live, ms, settings, now);
  }

  /**
   * Whether one that finds no room is to come back after `briefMs` rather than `shortMs`: before the longer wait is over
   * the lane would be through with what it has, and with what of lower pos is away too, and then wait for it. The rest
   * need not come by every few seconds for nothing.
   */
  wantsBack(pos: number, briefMs: number, shortMs: number, settings: LaneSettings, now: number): boolean {
    if (this.held) return true;
    if ((this.#circuit.openMs(now) ?? 0) > briefMs) return false;
    this.#near ??= new NearSpills();
    if (!this.#drains(this.#pace, this.work.live + this.#near.before(pos, now), shortMs, settings, now)) return false;
    this.#near.add(pos, mostNear, now);
    return true;
  }

  /** One that may have been spilled is offered. */
  offered(pos: number, now: number): void {
    this.#near?.remove(pos, now);
  }

  /** Whether a new one would be just the same. */
  isForgettable(settings: LaneSettings, now: number): boolean {
    if (!this.isIdle || !this.#circuit.isAtRest(settings.circuit, now)) return false;
    if (settings.adaptive && !this.#adaptive.isAtRest && now - this.idleSince < forgetLimitMs) return false;
    return this.rates.isAtRest(now) && (this.#limiterOf(settings, now)?.isAtRest(now) ?? true);
  }

  /** Whether `records` would be through within `ms` at a speed that was measured, within the rate. */
  #drains(flow: Flow, records: number, ms: number, settings: LaneSettings, now: number): boolean {
    const limiter = this.#limiterOf(settings, now);
    const posts = Math.ceil(records / (settings.batch?.maxEvents ?? 1));
    const isAllowed = limiter === null || limiter.nextAt(now) + (posts - 1) / limiter.perMs <= now + ms;
    return isAllowed && flow.takes(records, ms, now);
  }

  #limiterOf({ rateLimit }: LaneSettings, now: number): RateLimiter | null {
    if (rateLimit === this.#rateLimit) return this.#limiter;
    this.#rateLimit = rateLimit;
    if (rateLimit === null) this.#limiter = null;
    else if (this.#limiter === null) this.#limiter = new RateLimiter(rateLimit, now);
    else this.#limiter.change(rateLimit, now);
    return this.#limiter;
  }
}

export const isSuccess = (result: PostResult): boolean =>
  result.kind === 'response' && result.status >= 200 && result.status < 300;
