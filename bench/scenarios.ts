import { machineMs } from './clock.js';
import { appendAll, postAll, type JsonEvent } from './load.js';
import type { Platform } from './platform.js';
import type { Report } from './receiver/messages.js';
import type { Figures } from './results.js';
import { answering, eventsFor, settled, tenantsOf, type Stage } from './stage.js';
import { medianBy, rounded } from './statistics.js';

export interface Counts {
  readonly outOfOrder: number;
  readonly duplicates: number;
  /** Deliveries that did not come in time: anything but 0 spoils the other figures. */
  readonly missing: number;
}

export type Speed = { readonly perSecond: number } & Counts;

export interface WideSpeed extends Speed {
  /** The median of the events that came alone: from the append of one to its last receipt. */
  readonly alonePerSecond: number;
}

const measuredEvents = 20_000;
const warmUpRequests = 5_000;
const requestsInFlight = 32;
const wideEvents = 20;
const wideEventsAlone = 10;

/** 20,000 events of 1 KB for 10 tenants with an endpoint each, appended to Kafka. */
export const throughput = (stage: Stage): Promise<Figures<Speed>> => {
  const tenants = tenantsOf('throughput', 10);
  return stage.onPlatform(answering(tenants), (platform) => {
    const events = eventsFor(tenants, 'measured', stage.size(measuredEvents));
    const records = events.map((event) => platform.recordOf(event));
    return atFullSpeed(platform, records.length, () => appendAll(platform.sender, records));
  });
};

/** The same over `POST /v1/events`, an event per request. */
export const throughputRest = (stage: Stage): Promise<Figures<Speed>> => {
  const tenants = tenantsOf('throughput-rest', 10);
  return stage.onPlatform(answering(tenants), async (platform) => {
    const warmUp = eventsFor(tenants, 'warm-up-rest', stage.size(warmUpRequests));
    await settled(platform, 'warm-up-rest', warmUp.length, () => postEvents(platform, warmUp));
    const events = eventsFor(tenants, 'measured', stage.size(measuredEvents));
    return atFullSpeed(platform, events.length, () => postEvents(platform, events));
  });
};

/** 1,000 events for a tenant with 50 endpoints. */
export const fanout = (stage: Stage): Promise<Figures<Speed>> => {
  const [tenant = ''] = tenantsOf('fanout', 1);
  const endpoints = 50;
  return stage.onPlatform([{ name: tenant, endpoints, behaviour: 'answers' }], (platform) => {
    const events = eventsFor([tenant], 'measured', stage.size(1_000));
    const records = events.map((event) => platform.recordOf(event));
    return atFullSpeed(platform, records.length * endpoints, () => appendAll(platform.sender, records));
  });
};

/** 20 events for a tenant with 1,000 endpoints; before them, ten that come alone. */
export const fanoutWide = (stage: Stage): Promise<Figures<WideSpeed>> => {
  const [tenant = ''] = tenantsOf('fanout-1000', 1);
  const endpoints = stage.size(1_000);
  return stage.onPlatform([{ name: tenant, endpoints, behaviour: 'answers' }], async (platform) => {
    const send = (tag: string, events: number): Promise<Figures<Speed>> => {
      const records = eventsFor([tenant], tag, events).map((event) => platform.recordOf(event));
      return atFullSpeed(platform, records.length * endpoints, () => appendAll(platform.sender, records), tag);
    };
    const alone: Speed[] = [];
    for (let n = 0; n < wideEventsAlone; n += 1) alone.push((await send(`alone-${n}`, 1)).fields);
    const { fields, processes } = await send('measured', wideEvents);
    const { perSecond: alonePerSecond } = medianBy(alone, ({ perSecond }) => perSecond);
    const sum = (field: keyof Counts): number =>
      [...alone, fields].reduce((total, { [field]: count }) => total + count, 0);
    const counts = { outOfOrder: sum('outOfOrder'), duplicates: sum('duplicates'), missing: sum('missing') };
    return { fields: { perSecond: fields.perSecond, alonePerSecond, ...counts }, processes };
  });
};

/** From the start of `load` to the last receipt. */
async function atFullSpeed(
  platform: Platform,
  expected: number,
  load: () => Promise<void>,
  tag = 'measured',
): Promise<Figures<Speed>> {
  const used = platform.usage();
  const from = machineMs();
  const report = await settled(platform, tag, expected, load);
  const perSecond = rounded((report.received / (report.lastAt - from)) * 1_000, 0);
  return { fields: { perSecond, ...countsOf(report, expected) }, processes: used() };
}

export function countsOf({ outOfOrder, duplicates, received }: Report, expected: number): Counts {
  return { outOfOrder, duplicates, missing: expected - received };
}

const postEvents = (platform: Platform, events: readonly JsonEvent[]): Promise<void> =>
  postAll(
    platform.api,
    events.map((event) => JSON.stringify(event)),
    requestsInFlight,
  );
