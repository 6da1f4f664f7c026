import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import pg from 'pg';
import { sightingsOf, type Readable, type Sighting } from '../oracle/secrecy-oracle.js';
import type { PlatformUnderTest } from './platform-under-test.js';
import { readTopic } from './read-evidence.js';

/**
 * Invariant 8: where the secrets of a run can be read in what it has left behind: the logs of all processes, every record of
 * every topic, every row of every table, the metrics, and what the API answers now. Call it before anything is stopped.
 * @param secrets by name; the master key, the operator's key and the endpoints' secrets come by themselves
 */
export async function readableSecrets(
  test: PlatformUnderTest,
  secrets: ReadonlyMap<string, string>,
): Promise<{ readonly sightings: readonly Sighting[]; readonly places: readonly string[] }> {
  const all = new Map([
    ...secrets,
    ['operator key', test.platform.operatorKey] as const,
    ['master key', test.platform.masterKeys] as const,
    ...test.endpoints.map(({ endpointId, secret }) => [`secret of ${endpointId}`, secret] as const),
  ]);
  const readables = [
    ...logsOf(test),
    ...(await recordsOf(test)),
    ...(await rowsOf(test)),
    ...(await metricsOf(test)),
    ...(await answersOf(test)),
  ];
  return { sightings: sightingsOf(all, readables), places: [...new Set(readables.map(({ place }) => place))] };
}

const logsOf = ({ folder }: PlatformUnderTest): Readable[] =>
  readdirSync(folder).map((name) => ({ place: `log ${name}`, bytes: readFileSync(join(folder, name)) }));

async function recordsOf({ services, prefix }: PlatformUnderTest): Promise<Readable[]> {
  const admin = new Kafka({ brokers: services.kafkaBrokers.split(','), logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  const topics = (await admin.listTopics()).filter((name) => name.startsWith(`${prefix}.`));
  await admin.disconnect();
  const readables: Readable[] = [];
  for (const topic of topics) {
    const parts = (await readTopic(services.kafkaBrokers, topic)).flatMap(({ key, value, headers }) => [
      key,
      value,
      ...Object.values(headers ?? {}).flat(),
    ]);
    const bytes = parts.flatMap((part) => (part === null || part === undefined ? [] : [Buffer.from(part), newline]));
    readables.push({ place: `topic ${topic.slice(prefix.length + 1)}`, bytes: Buffer.concat(bytes) });
  }
  return readables;
}

const newline = Buffer.from('\n');

async function rowsOf({ services }: PlatformUnderTest): Promise<Readable[]> {
  const client = new pg.Client({ connectionString: services.databaseUrl });
  await client.connect();
  try {
    const { rows: tables } = await client.query<{ name: string }>(
      `SELECT format('%I.%I', table_schema, table_name) AS name FROM information_schema.tables
       WHERE table_schema NOT IN ('pg_catalog', 'information_schema')`,
    );
    const readables: Readable[] = [];
    for (const { name } of tables) {
      const { rows } = await client.query<{ row: string }>(`SELECT t::text AS row FROM ${name} t`);
      readables.push({ place: `table ${name}`, bytes: Buffer.from(rows.map(({ row }) => row).join('\n')) });
    }
    return readables;
  } finally {
    await client.end();
  }
}

const metricsOf = ({ platform }: PlatformUnderTest): Promise<Readable[]> =>
  Promise.all(
    [...platform.running].map(async ({ name, url }) => ({
      place: `metrics of ${name}`,
      bytes: Buffer.from(await (await fetch(`${url}/metrics`)).text()),
    })),
  );

const lists = [
  '/v1/tenants',
  '/v1/endpoints',
  '/v1/deliveries',
  '/v1/dead-letters',
  '/v1/replays',
  '/v1/transformations',
  '/v1/event-types',
];
const ofEndpoint = ['', '/secrets', '/public-keys', '/history', '/backlog', '/retry-preview', '/halted-keys'];

async function answersOf({ platform, endpoints, tenantId }: PlatformUnderTest): Promise<Readable[]> {
  const deliveries = await platform.request<{ data: { id: string }[] }>('GET', '/v1/deliveries?limit=5');
  const paths = [
    ...lists.map((path) => (path === '/v1/transformations' ? `${path}?tenantId=${tenantId}` : path)),
    ...endpoints.flatMap(({ endpointId }) => ofEndpoint.map((part) => `/v1/endpoints/${endpointId}${part}`)),
    ...deliveries.body.data.map(({ id }) => `/v1/deliveries/${id}`),
  ];
  const readables: Readable[] = [];
  for (const path of paths) {
    const { status, body } = await platform.request('GET', path);
    if (status !== 200) throw new Error(`GET ${path}: ${status} ${JSON.stringify(body)}`);
    readables.push({ place: `GET ${path}`, bytes: Buffer.from(JSON.stringify(body)) });
  }
  return readables;
}
