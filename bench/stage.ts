import { appendAll, eventOf, inParallel, type JsonEvent } from './load.js';
import { Platform, type EndpointSettings } from './platform.js';
import {
  busyPrefix,
  failingPrefix,
  silentPrefix,
  slowPrefix,
  switchedPrefix,
  type Report,
} from './receiver/messages.js';
import type { Services } from './services.js';

/** What an endpoint's receiver does: answers 204 at once, after 20 ms, after 50 ms, never, answers 503, or as it is switched. */
export type Behaviour = 'answers' | 'slow' | 'busy' | 'silent' | 'fails' | 'switched';

export interface TenantLayout {
  readonly name: string;
  /** All alike. */
  readonly endpoints: number;
  readonly behaviour: Behaviour;
  readonly settings?: EndpointSettings;
}

const prefixes: Readonly<Record<Behaviour, string>> = {
  answers: '',
  slow: slowPrefix,
  busy: busyPrefix,
  silent: silentPrefix,
  fails: failingPrefix,
  switched: switchedPrefix,
};

/**
 * What has just been started is slow until its code is compiled, most of all the broker; a platform that runs for weeks
 * is not. So as much as is measured is sent before.
 */
const warmUpDeliveries = 20_000;
const createdAtOnce = 8;
const quietMs = 1_000;
const drainMs = 120_000;

/** Where scenarios are played: on a fresh platform each, at full size; or all on one, at a small share of it. */
export class Stage {
  /**
   * @param share of the full size: below 1 nothing that is measured means anything, but all code has run
   * @param shared used for every scenario; null: each gets a platform of its own
   * @param asked events of the scenarios whose number may be chosen; null: their own
   */
  constructor(
    readonly services: Services,
    private readonly share = 1,
    private readonly shared: Platform | null = null,
    private readonly asked: number | null = null,
  ) {}

  /** A number of events that may be chosen (`--events`). */
  events(full: number): number {
    return this.asked ?? this.size(full);
  }

  /** A number of events or seconds at this stage's size. */
  size(full: number, least = 1): number {
    return Math.max(least, Math.round(full * this.share));
  }

  /** A platform with these tenants and endpoints, warmed up, for as long as `measure` takes. */
  async onPlatform<T>(tenants: readonly TenantLayout[], measure: (platform: Platform) => Promise<T>): Promise<T> {
    const platform = this.shared ?? (await Platform.start(this.services));
    try {
      for (const { name, endpoints, behaviour, settings } of tenants) {
        await platform.createTenant(name);
        const numbers = Array.from({ length: endpoints }, (_, n) => n);
        const create = (n: number): Promise<string> =>
          platform.createEndpoint(name, prefixes[behaviour] + pathOf(name, n), settings);
        await inParallel(numbers, createdAtOnce, create);
      }
      await this.#warmUp(platform, tenants);
      return await measure(platform);
    } finally {
      if (platform !== this.shared) await platform.stop();
    }
  }

  async #warmUp(platform: Platform, tenants: readonly TenantLayout[]): Promise<void> {
    const quick = tenants.filter(({ behaviour }) => behaviour === 'answers');
    const answering = quick.length > 0 ? quick : tenants.filter(({ behaviour }) => behaviour === 'slow');
    const each = answering[0]?.endpoints ?? 1;
    const names = answering.map(({ name }) => name);
    await platform.untilDelivered(names, names.length * each);
    // Slow receivers take what they take: a tenth is enough of them.
    const deliveries = this.size(quick.length > 0 ? warmUpDeliveries : warmUpDeliveries / 10);
    const events = eventsFor(names, 'warm-up', Math.ceil(deliveries / each));
    const records = events.map((event) => platform.recordOf(event));
    await settled(platform, 'warm-up', records.length * each, () => appendAll(platform.sender, records));
    await new Promise((resolve) => setTimeout(resolve, this.size(quietMs)));
  }
}

/** Lays a load on, and waits until all of it was received, two minutes at most unless it is said otherwise. */
export async function settled(
  platform: Platform,
  tag: string,
  expected: number,
  load: () => Promise<void>,
  timeoutMs = drainMs,
): Promise<Report> {
  const { receiver } = platform.services;
  const { complete } = await receiver.begin(tag, expected, timeoutMs);
  await load();
  await complete;
  return receiver.report();
}

/** `count` events for the tenants in turn; each tenant's are numbered from 0. */
export function eventsFor(tenants: readonly string[], tag: string, count: number): readonly JsonEvent[] {
  return Array.from({ length: count }, (_, n) =>
    eventOf(tag, tenants[n % tenants.length] ?? '', Math.floor(n / tenants.length)),
  );
}

/** Of a path without its prefix. */
export function pathOf(tenant: string, endpoint: number): string {
  return `/${tenant}/${endpoint}`;
}

export function tenantsOf(scenario: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, n) => `${scenario}-${n}`);
}

/** Tenants with an endpoint each that answers at once. */
export const answering = (names: readonly string[]): readonly TenantLayout[] =>
  names.map((name) => ({ name, endpoints: 1, behaviour: 'answers' }));
