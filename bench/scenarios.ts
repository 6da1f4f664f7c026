import { machineMs } from './clock.js';
import { appendAll, appendPaced, eventOf, postAll, type JsonEvent } from './load.js';
import { Platform } from './platform.js';
import type { Report } from './receiver/messages.js';
import { silentPrefix } from './receiver/messages.js';
import type { Figures } from './results.js';
import type { Services } from './services.js';
import { latenciesOf, rounded, type Latencies } from './statistics.js';

interface Counts {
  readonly outOfOrder: number;
  readonly duplicates: number;
  /** Deliveries that did not come in time: anything but 0 spoils the other figures. */
  readonly missing: number;
}

export type Speed = { readonly perSecond: number } & Counts;
export type Delay = Latencies & Counts;

interface Layout {
  readonly tenants: readonly string[];
  readonly endpointsEach: number;
  /** How many of the tenants, the last ones, have endpoints that never answer. */
  readonly silent: number;
}

const tenTenants: Layout = { tenants: names(10), endpointsEach: 1, silent: 0 };
/**
 * What has just been started is slow until its code is compiled, most of all the broker; a platform that runs for weeks
 * is not. So as much as is measured is sent before.
 */
const warmUpDeliveries = 20_000;
const warmUpRequests = 5_000;
const quietMs = 1_000;
const drainMs = 120_000;
const requestsInFlight = 32;

/** 20,000 events of 1 KB for 10 tenants with an endpoint each, appended to Kafka. */
export const throughput = (services: Services): Promise<Figures<Speed>> =>
  onPlatform(services, tenTenants, (platform) => {
    const records = eventsFor(tenTenants, 'measured', 20_000).map((event) => platform.recordOf(event));
    return atFullSpeed(platform, records.length, () => appendAll(platform.sender, records));
  });

/** The same over `POST /v1/events`, an event per request. */
export const throughputRest = (services: Services): Promise<Figures<Speed>> =>
  onPlatform(services, tenTenants, async (platform) => {
    const warmUp = eventsFor(tenTenants, 'warm-up-rest', warmUpRequests);
    await settled(platform, 'warm-up-rest', warmUp.length, () => postEvents(platform, warmUp));
    const events = eventsFor(tenTenants, 'measured', 20_000);
    return atFullSpeed(platform, events.length, () => postEvents(platform, events));
  });

/** 1,000 events for a tenant with 50 endpoints. */
export const fanout = (services: Services): Promise<Figures<Speed>> => {
  const layout: Layout = { tenants: names(1), endpointsEach: 50, silent: 0 };
  return onPlatform(services, layout, (platform) => {
    const records = eventsFor(layout, 'measured', 1_000).map((event) => platform.recordOf(event));
    return atFullSpeed(platform, records.length * layout.endpointsEach, () => appendAll(platform.sender, records));
  });
};

/** 100 events/s for 30 s, to 10 tenants with an endpoint each. */
export const latency = (services: Services): Promise<Figures<Delay>> => atPace(services, tenTenants, 30);

/** The same for 90 s, while 2 of the 10 endpoints never answer: the other eight. */
export const neighbours = (services: Services): Promise<Figures<Delay>> =>
  atPace(services, { ...tenTenants, silent: 2 }, 90);

function atPace(services: Services, layout: Layout, seconds: number): Promise<Figures<Delay>> {
  const perSecond = 100;
  return onPlatform(services, layout, async (platform) => {
    const events = eventsFor(layout, 'measured', seconds * perSecond);
    const records = events.map((event) => platform.recordOf(event));
    const answering = new Set(answeringTenants(layout));
    const expected = events.filter(({ tenantid }) => answering.has(tenantid)).length;
    const used = platform.usage();
    const { complete } = await platform.services.receiver.begin('measured', expected, seconds * 1_000 + drainMs);
    const appendedAt = await appendPaced(platform.sender, records, perSecond);
    await complete;
    const processes = used();
    const report = await platform.services.receiver.report();
    const arrivals = new Map(report.paths.map((path) => [path.path, path.arrivals]));
    const delays: number[] = [];
    for (const [n, { tenantid }] of events.entries()) {
      const at = arrivals.get(pathOf(tenantid, 0))?.[Math.floor(n / layout.tenants.length)] ?? 0;
      if (at > 0) delays.push(at - (appendedAt[n] ?? 0));
    }
    return { fields: { ...latenciesOf(delays), ...countsOf(report, expected) }, processes };
  });
}

/** From the start of `load` to the last receipt. */
async function atFullSpeed(platform: Platform, expected: number, load: () => Promise<void>): Promise<Figures<Speed>> {
  const used = platform.usage();
  const from = machineMs();
  const report = await settled(platform, 'measured', expected, load);
  const perSecond = rounded((report.received / (report.lastAt - from)) * 1_000, 0);
  return { fields: { perSecond, ...countsOf(report, expected) }, processes: used() };
}

/** Lays a load on, and waits until all of it was received. */
async function settled(platform: Platform, tag: string, expected: number, load: () => Promise<void>): Promise<Report> {
  const { receiver } = platform.services;
  const { complete } = await receiver.begin(tag, expected, drainMs);
  await load();
  await complete;
  return receiver.report();
}

/** A fresh platform with the tenants and endpoints of the layout, warmed up, for as long as `measure` takes. */
async function onPlatform<T>(
  services: Services,
  layout: Layout,
  measure: (platform: Platform) => Promise<T>,
): Promise<T> {
  const platform = await Platform.start(services);
  try {
    for (const tenant of layout.tenants) {
      await platform.createTenant(tenant);
      for (let n = 0; n < layout.endpointsEach; n += 1)
        await platform.createEndpoint(tenant, (isSilent(layout, tenant) ? silentPrefix : '') + pathOf(tenant, n));
    }
    const tenants = answeringTenants(layout);
    await platform.untilDelivered(tenants, tenants.length * layout.endpointsEach);
    const events = eventsFor({ ...layout, tenants }, 'warm-up', Math.ceil(warmUpDeliveries / layout.endpointsEach));
    const records = events.map((event) => platform.recordOf(event));
    await settled(platform, 'warm-up', records.length * layout.endpointsEach, () =>
      appendAll(platform.sender, records),
    );
    await new Promise((resolve) => setTimeout(resolve, quietMs));
    return await measure(platform);
  } finally {
    await platform.stop();
  }
}

/** `count` events for the tenants in turn; each tenant's are numbered from 0. */
function eventsFor({ tenants }: Layout, tag: string, count: number): readonly JsonEvent[] {
  return Array.from({ length: count }, (_, n) =>
    eventOf(tag, tenants[n % tenants.length] ?? '', Math.floor(n / tenants.length)),
  );
}

const postEvents = (platform: Platform, events: readonly JsonEvent[]): Promise<void> =>
  postAll(
    platform.api,
    events.map((event) => JSON.stringify(event)),
    requestsInFlight,
  );

function countsOf({ outOfOrder, duplicates, received }: Report, expected: number): Counts {
  return { outOfOrder, duplicates, missing: expected - received };
}

function answeringTenants(layout: Layout): readonly string[] {
  return layout.tenants.filter((tenant) => !isSilent(layout, tenant));
}

function isSilent({ tenants, silent }: Layout, tenant: string): boolean {
  return tenants.indexOf(tenant) >= tenants.length - silent;
}

function pathOf(tenant: string, endpoint: number): string {
  return `/${tenant}/${endpoint}`;
}

function names(count: number): readonly string[] {
  return Array.from({ length: count }, (_, n) => `tenant-${n}`);
}
