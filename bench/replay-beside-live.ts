/** What two replays at full speed cost the deliveries of other endpoints. */
import { machineMs } from './clock.js';
import { atPace, type Delay } from './isolation.js';
import { appendAll } from './load.js';
import type { Platform } from './platform.js';
import { startReplay, untilSent, viewReplay, type ReplayView } from './replay.js';
import type { Figures } from './results.js';
import type { Counts } from './scenarios.js';
import { answering, eventsFor, tenantsOf, type Stage } from './stage.js';
import { medianBy, rounded } from './statistics.js';

export interface BesideLive extends Counts {
  /** Live deliveries while two replays run. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** The same before each of those. */
  readonly aloneP50Ms: number;
  readonly aloneP99Ms: number;
  readonly ratio: number;
  /** Of both together. */
  readonly replayedPerSecond: number;
}

const history = 40_000;
const runs = 3;
const seconds = 20;
const live = tenantsOf('beside-live', 10);
const replayed = ['beside-replayed-0', 'beside-replayed-1'];

export const replayBesideLive = (stage: Stage): Promise<Figures<BesideLive>> =>
  stage.onPlatform(answering(live), async (platform) => {
    const from = new Date().toISOString();
    for (const tenant of replayed) await platform.createTenant(tenant);
    const events = eventsFor(replayed, 'history', stage.events(history));
    await appendAll(
      platform.sender,
      events.map((event) => platform.recordOf(event)),
    );
    await platform.untilDispatched();
    const windows = [];
    for (const tenantId of replayed) {
      const endpointIds = [await platform.createEndpoint(tenantId, `/${tenantId}/0`)];
      windows.push({ tenantId, endpointIds, from });
    }
    const used = platform.usage();
    const pairs: { readonly alone: Delay; readonly beside: Delay; readonly perSecond: number }[] = [];
    for (let run = 0; run < runs; run += 1) {
      const { fields: alone } = await atPace(platform, answering(live), stage.size(seconds, 1), `alone-${run}`);
      const replays = windows.map((window) => new EndlessReplay(platform, window));
      await Promise.all(replays.map((replay) => replay.begun));
      const before = await Promise.all(replays.map((replay) => replay.sent()));
      const begunAt = machineMs();
      const { fields: beside } = await atPace(platform, answering(live), stage.size(seconds, 1), `beside-${run}`);
      const took = (machineMs() - begunAt) / 1_000;
      const after = await Promise.all(replays.map((replay) => replay.sent()));
      const count = after.reduce((sum, sent, n) => sum + sent - (before[n] ?? 0), 0);
      await Promise.all(replays.map((replay) => replay.stop()));
      pairs.push({ alone, beside, perSecond: count / took });
    }
    const { alone, beside, perSecond } = medianBy(pairs, (pair) => pair.beside.p99Ms / pair.alone.p99Ms);
    const sum = (field: keyof Counts): number =>
      pairs.reduce((total, pair) => total + pair.alone[field] + pair.beside[field], 0);
    return {
      fields: {
        p50Ms: beside.p50Ms,
        p99Ms: beside.p99Ms,
        aloneP50Ms: alone.p50Ms,
        aloneP99Ms: alone.p99Ms,
        ratio: rounded(beside.p99Ms / alone.p99Ms, 2),
        replayedPerSecond: rounded(perSecond, 0),
        outOfOrder: sum('outOfOrder'),
        duplicates: sum('duplicates'),
        missing: sum('missing'),
      },
      processes: used(),
    };
  });

/** The same window again and again, until it is stopped. */
class EndlessReplay {
  readonly #platform: Platform;
  readonly #window: object;
  #now: Promise<ReplayView>;
  #ended = 0;
  #stopped = false;
  readonly #running: Promise<void>;

  constructor(platform: Platform, window: object) {
    this.#platform = platform;
    this.#window = window;
    this.#now = startReplay(platform, window);
    this.#running = this.#run();
    // Awaited when it is stopped.
    this.#running.catch(() => undefined);
  }

  get begun(): Promise<unknown> {
    return this.#now;
  }

  /** Deliveries so far; what is outstanding of them is bounded. */
  async sent(): Promise<number> {
    return this.#ended + (await viewReplay(this.#platform, (await this.#now).id)).progress.sent;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    const { id } = await this.#now;
    await this.#platform.call('POST', `/v1/replays/${id}/cancel`).catch(() => undefined);
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const { progress } = await untilSent(this.#platform, (await this.#now).id);
      this.#ended += progress.sent;
      if (!this.#stopped) this.#now = startReplay(this.#platform, this.#window);
    }
  }
}
