/** How long `GET /v1/deliveries` takes over a log of a million rows, by filter, as the operator and as a tenant of 60 % of it. */
import pg from 'pg';
import { fillLongLog, longLog } from '#libs/testing';
import type { Platform } from './platform.js';
import type { Figures } from './results.js';
import { answering, type Stage } from './stage.js';
import { percentile, rounded } from './statistics.js';

/** Of one filter and caller, in the worst of which `p95Ms` is. By name: `<caller><filter>P95Ms`. */
export interface LogSpeed {
  readonly rows: number;
  /** Of all requests. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** The p95 of the slowest filter. */
  readonly worstP95Ms: number;
  readonly over50Ms: number;
  readonly filters: number;
  readonly [filter: `${string}P95Ms`]: number;
}

const fullSize = 1_000_000;
const days = 30;
const dayMs = 86_400_000;
const requests = 40;

export const deliveryLog = (stage: Stage): Promise<Figures<LogSpeed>> =>
  stage.onPlatform(answering(['delivery-log']), async (platform) => {
    const rows = stage.events(fullSize);
    const until = Date.now();
    const own = await fill(platform, rows, until);
    const callers = { operator: platform.api.key, tenant: await keyOf(platform, longLog.largeTenant) };
    const used = platform.usage();
    const all: number[] = [];
    const p95: Record<string, number> = {};
    for (const [caller, key] of Object.entries(callers)) {
      for (const [name, query] of Object.entries(queriesOf(own, until))) {
        const took: number[] = [];
        // The first few find the pages cold and plans unseen: in a log that is in use they are not.
        for (let n = 0; n < stage.size(requests, 3) + 3; n += 1) {
          const ms = await timed(`${platform.api.url}/v1/deliveries?${new URLSearchParams(query).toString()}`, key);
          if (n >= 3) took.push(ms);
        }
        all.push(...took);
        p95[`${caller} ${name}`] = rounded(
          percentile(
            took.toSorted((a, b) => a - b),
            0.95,
          ),
          1,
        );
      }
    }
    const sorted = all.toSorted((a, b) => a - b);
    const worst = Object.values(p95);
    return {
      fields: {
        rows,
        p50Ms: rounded(percentile(sorted, 0.5), 1),
        p99Ms: rounded(percentile(sorted, 0.99), 1),
        worstP95Ms: Math.max(...worst),
        over50Ms: worst.filter((ms) => ms > 50).length,
        filters: worst.length,
        ...Object.fromEntries(Object.entries(p95).map(([name, ms]) => [`${camel(name)}P95Ms`, ms])),
      },
      processes: used(),
    };
  });

const camel = (words: string): string => words.replaceAll(/ (\w)/g, (_, letter: string) => letter.toUpperCase());

interface OneDelivery {
  readonly event_id: string;
  readonly webhook_id: string;
  readonly ordering_key: string;
}

/** @returns what can be looked for of one that is twelve days old */
async function fill(platform: Platform, rows: number, until: number): Promise<OneDelivery> {
  const client = new pg.Pool({ connectionString: platform.databaseUrl, max: 2 });
  try {
    await fillLongLog(async (sql, parameters) => (await client.query(sql, parameters)).rows, { rows, until, days });
    const { rows: found } = await client.query<OneDelivery>(
      `SELECT event_id, webhook_id, ordering_key FROM deliveries WHERE tenant_id = $1 AND ordering_key IS NOT NULL
       AND accepted_at < $2 ORDER BY accepted_at DESC LIMIT 1`,
      [longLog.largeTenant, new Date(until - 12 * dayMs)],
    );
    const [one] = found;
    if (one === undefined) throw new Error('the log was not filled');
    return one;
  } finally {
    await client.end();
  }
}

function queriesOf(one: OneDelivery, until: number): Readonly<Record<string, Record<string, string>>> {
  const at = (daysAgo: number): string => new Date(until - daysAgo * dayMs).toISOString();
  const aDay = { from: at(20), to: at(19) };
  const { largeEndpoint, rareType, foreignType, rareSource } = longLog;
  const eventType = 'thing-3.changed';
  return {
    all: {},
    'time range': aDay,
    endpoint: { endpointId: largeEndpoint },
    delivered: { status: 'delivered' },
    pending: { status: 'pending' },
    'dead lettered': { status: 'dead-lettered' },
    type: { eventType },
    'rare type': { eventType: rareType },
    'foreign type': { eventType: foreignType },
    source: { eventSource: '/service-3' },
    'rare source': { eventSource: rareSource },
    event: { eventId: one.event_id },
    'webhook id': { webhookId: one.webhook_id },
    'ordering key': { orderingKey: one.ordering_key },
    'answer 200': { responseCode: '200' },
    'answer 204': { responseCode: '204' },
    'answer 503': { responseCode: '503' },
    'answer 410': { responseCode: '410' },
    'answer never given': { responseCode: '418' },
    kind: { errorKind: 'timeout' },
    'rare kind': { errorKind: 'tls' },
    'frequent word': { error: 'timeout' },
    'rare words': { error: 'certificate expired' },
    'unknown word': { error: 'zebra' },
    'status and kind': { status: 'dead-lettered', errorKind: 'timeout' },
    'status and type': { status: 'dead-lettered', eventType },
    'endpoint and status': { endpointId: largeEndpoint, status: 'dead-lettered' },
    'endpoint and answer': { endpointId: largeEndpoint, responseCode: '410' },
    'endpoint and type': { endpointId: largeEndpoint, eventType },
    'endpoint and word': { endpointId: largeEndpoint, error: 'answered' },
    'type and time': { eventType, ...aDay },
    'answer and time': { responseCode: '503', ...aDay },
  };
}

async function keyOf(platform: Platform, tenantId: string): Promise<string> {
  await platform.createTenant(tenantId);
  const made = await platform.call<{ key: string }>('POST', '/v1/keys', {
    name: 'bench',
    tenantId,
    scopes: ['deliveries:read'],
  });
  return made.key;
}

async function timed(url: string, key: string): Promise<number> {
  const begun = performance.now();
  const answer = await fetch(url, { headers: { authorization: `Bearer ${key}` } });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${url} was answered ${answer.status}: ${text}`);
  return performance.now() - begun;
}
