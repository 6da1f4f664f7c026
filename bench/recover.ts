/** Dead letters of an endpoint that is well again, sent at the rate that was asked for. */
import { machineMs } from './clock.js';
import { appendAll, eventOf } from './load.js';
import { switchedPrefix } from './receiver/messages.js';
import { arrivalsAt, deviationOf, type ReplayView } from './replay.js';
import type { Figures } from './results.js';
import { answering, type Stage } from './stage.js';
import { rounded } from './statistics.js';

export interface Recovery {
  readonly deadLetters: number;
  /** Asked for. */
  readonly limitPerSecond: number;
  readonly burst: number;
  readonly recoveredSeconds: number;
  readonly perSecond: number;
  /** Receipts in the fullest second. */
  readonly mostInASecond: number;
  /** Receipts beyond what limit and burst allow since any receipt before. */
  readonly overLimit: number;
  readonly duplicates: number;
  readonly missing: number;
  readonly surplus: number;
}

const fullSize = 5_000;
const limit = 500;
const burst = 50;
const name = 'recover-failed';
const deadMs = 600_000;

const settings = {
  maxInFlight: 64,
  retry: { kind: 'exponential', maxAttempts: 1 },
  // Each of them is POSTed once and given up.
  circuit: { consecutiveFailures: 1_000_000, minRequests: 1_000_000 },
  adaptiveConcurrency: false,
};

export const recover = (stage: Stage): Promise<Figures<Recovery>> =>
  stage.onPlatform(answering(['recover-warm']), async (platform) => {
    const { receiver } = platform.services;
    const deadLetters = stage.events(fullSize);
    await receiver.switch(true);
    await platform.createTenant(name);
    const endpoint = await platform.createEndpoint(name, `${switchedPrefix}/${name}/0`, settings);
    const since = new Date().toISOString();
    const dead = 'posthorn_deliveries_dead_lettered_total';
    const before = await platform.counted('worker', dead);
    await appendAll(
      platform.sender,
      Array.from({ length: deadLetters }, (_, n) => platform.recordOf(eventOf('failed', name, n))),
    );
    await platform.untilCounted('worker', dead, before + deadLetters, deadMs);
    await platform.untilProjected(deadMs);

    const used = platform.usage();
    await receiver.switch(false);
    const { complete } = await receiver.begin('failed', deadLetters, 60_000 + (deadLetters / limit) * 3_000);
    const begunAt = machineMs();
    await platform.call<ReplayView>('POST', `/v1/endpoints/${endpoint}/recover`, {
      since,
      rateLimit: { limit, per: 'second', burst },
    });
    await complete;
    const report = await receiver.report();
    const arrivals = arrivalsAt(report, name, switchedPrefix);
    const times = arrivals.filter((at) => at > 0).toSorted((a, b) => a - b);
    const seconds = (report.lastAt - begunAt) / 1_000;
    return {
      fields: {
        deadLetters,
        limitPerSecond: limit,
        burst,
        recoveredSeconds: rounded(seconds, 2),
        perSecond: rounded(report.received / seconds, 0),
        mostInASecond: mostWithin(times, 1_000),
        overLimit: rounded(Math.max(0, excessOf(times, limit) - burst), 1),
        duplicates: report.duplicates,
        ...deviationOf(arrivals, 0, deadLetters),
      },
      processes: used(),
    };
  });

/** The most receipts within any so many milliseconds. @param times ascending */
export function mostWithin(times: readonly number[], ms: number): number {
  let [most, first] = [0, 0];
  for (const [last, at] of times.entries()) {
    while (at - (times[first] ?? at) >= ms) first += 1;
    most = Math.max(most, last - first + 1);
  }
  return most;
}

/** Of all spans of time, the most receipts beyond what the rate alone allows in it. @param times ascending */
export function excessOf(times: readonly number[], perSecond: number): number {
  let [most, level, before] = [0, 0, times[0] ?? 0];
  for (const at of times) {
    level = Math.max(0, level - ((at - before) / 1_000) * perSecond) + 1;
    before = at;
    most = Math.max(most, level);
  }
  return most;
}
