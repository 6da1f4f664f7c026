/** What some endpoints' trouble costs the others: always the same load on ten answering-or-not tenants, 100 events/s. */
import { appendAll, appendPaced } from './load.js';
import type { Platform } from './platform.js';
import type { Figures } from './results.js';
import { countsOf, type Counts } from './scenarios.js';
import { answering, eventsFor, pathOf, tenantsOf, type Behaviour, type Stage, type TenantLayout } from './stage.js';
import { latenciesOf, type Latencies } from './statistics.js';

export type Delay = Latencies & Counts;

/** Memory of the worker: its resident set before the backlog, and at the end with the backlog still there. */
export interface Memory {
  readonly workerMbBefore: number;
  readonly workerMbAfter: number;
}

export const perSecond = 100;
const drainMs = 120_000;
const tenants = 10;
const deadBacklog = 10_000;
const dispatchedMs = 120_000;

/** 100 events/s for 30 s, to 10 tenants with an endpoint each. */
export const latency = (stage: Stage): Promise<Figures<Delay>> => {
  const names = tenantsOf('latency', tenants);
  return stage.onPlatform(answering(names), (platform) => atPace(platform, answering(names), stage.size(30, 2)));
};

/** The same for 90 s, while 2 of the 10 endpoints never answer: the other eight. */
export const neighbours = (stage: Stage): Promise<Figures<Delay>> =>
  withTrouble(stage, 'neighbours', (n) => (n >= tenants - 2 ? 'silent' : 'answers'));

/** The same with one more that answers 503 to everything: the other seven. */
export const neighboursFailing = (stage: Stage): Promise<Figures<Delay>> =>
  withTrouble(stage, 'neighbours-failing', (n) => {
    if (n >= tenants - 2) return 'silent';
    return n === tenants - 3 ? 'fails' : 'answers';
  });

/** `latency` beside an endpoint that never answers, to which 10,000 deliveries are outstanding. */
export const deadEndpoint = (stage: Stage): Promise<Figures<Delay & Memory>> => {
  const live = answering(tenantsOf('dead-endpoint', tenants));
  const dead: TenantLayout = { name: 'dead-endpoint-dead', endpoints: 1, behaviour: 'silent' };
  return stage.onPlatform([...live, dead], async (platform) => {
    const workerMbBefore = platform.residentMb('worker');
    const backlog = eventsFor([dead.name], 'dead', stage.size(deadBacklog));
    const dispatched = 'posthorn_deliveries_dispatched_total';
    const before = await platform.counted('dispatcher', dispatched);
    await appendAll(
      platform.sender,
      backlog.map((event) => platform.recordOf(event)),
    );
    await platform.untilCounted('dispatcher', dispatched, before + backlog.length, dispatchedMs);
    const { fields, processes } = await atPace(platform, live, stage.size(30, 2));
    return { fields: { ...fields, workerMbBefore, workerMbAfter: platform.residentMb('worker') }, processes };
  });
};

function withTrouble(stage: Stage, name: string, behaviourOf: (n: number) => Behaviour): Promise<Figures<Delay>> {
  const layout = tenantsOf(name, tenants).map((tenant, n): TenantLayout => ({
    name: tenant,
    endpoints: 1,
    behaviour: behaviourOf(n),
  }));
  return stage.onPlatform(layout, (platform) => atPace(platform, layout, stage.size(90, 2)));
}

/** Delays of the endpoints that answer, 100 events/s, from just before the append to the receipt. */
export async function atPace(
  platform: Platform,
  layout: readonly TenantLayout[],
  seconds: number,
  tag = 'measured',
): Promise<Figures<Delay>> {
  const names = layout.map(({ name }) => name);
  const events = eventsFor(names, tag, seconds * perSecond);
  const records = events.map((event) => platform.recordOf(event));
  const quick = new Set(layout.filter(({ behaviour }) => behaviour === 'answers').map(({ name }) => name));
  const expected = events.filter(({ tenantid }) => quick.has(tenantid)).length;
  const used = platform.usage();
  const { complete } = await platform.services.receiver.begin(tag, expected, seconds * 1_000 + drainMs);
  const appendedAt = await appendPaced(platform.sender, records, perSecond);
  await complete;
  const processes = used();
  const report = await platform.services.receiver.report();
  const arrivals = new Map(report.paths.map((path) => [path.path, path.arrivals]));
  const delays: number[] = [];
  for (const [n, { tenantid }] of events.entries()) {
    const at = arrivals.get(pathOf(tenantid, 0))?.[Math.floor(n / names.length)] ?? 0;
    if (at > 0) delays.push(at - (appendedAt[n] ?? 0));
  }
  return { fields: { ...latenciesOf(delays), ...countsOf(report, expected) }, processes };
}
