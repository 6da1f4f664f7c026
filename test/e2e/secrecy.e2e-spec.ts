import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CompressionTypes, Kafka, logLevel } from 'kafkajs';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { formatSecret } from '#libs/core';
import { connectKafka } from '#libs/kafka';
import { createTestDatabase, uniquePrefix, type TestDatabase } from '#libs/testing';
import { searchFor, type Readable } from '../oracle/secrecy-oracle.js';
import { answersOf, metricsOf, refusalsOf } from './secrecy/answers.js';
import { refuseSightings } from './secrecy/left-behind.js';
import { filesBelow } from './secrecy/files.js';
import { homesOfThePassword, leftByServices, secretsOfTier } from './secrecy/left-by-services.js';
import { noteSecrets, secretsInUse, useSecret } from './secrecy/secrets-in-use.js';
import { tablesOf } from './secrecy/tables.js';
import { topicsOf } from './secrecy/topics.js';

const bytes = randomBytes(32);
const planted = formatSecret(bytes);
const bare = planted.slice('whsec_'.length);

/** @returns the places in which the planted secret was seen, with all forms */
async function seenIn(readables: AsyncIterable<Readable> | Iterable<Readable>): Promise<Record<string, string[]>> {
  const { sightings } = await searchFor(new Map([['planted', planted]]), readables);
  const seen: Record<string, string[]> = {};
  for (const { place, form } of sightings) (seen[place] ??= []).push(form);
  return seen;
}

/**
 * The search for secrets finds one that was planted in each kind of place: what finds nothing elsewhere has looked.
 * Real: broker, database, HTTP. Doubled: the api, by a server that tells the secret.
 */
describe('a planted secret is found', () => {
  let folder: string;
  let database: TestDatabase;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'posthorn-planted-'));
    database = await createTestDatabase();
  });
  afterAll(async () => {
    await database?.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('in files: of a log, across a megabyte, in a folder within', async () => {
    const logs = join(folder, 'logs');
    mkdirSync(join(logs, 'deep', 'er'), { recursive: true });
    writeFileSync(join(logs, 'worker-1.log'), `{"level":30,"headers":{"authorization":"${planted}"}}\n`);
    writeFileSync(join(logs, 'deep', 'er', '00000.log'), Buffer.concat([Buffer.alloc((1 << 20) - 9), bytes]));
    writeFileSync(join(logs, 'api-1.log'), 'nothing to see\n');
    const seen = await seenIn(filesBelow(logs, 'log'));
    expect(Object.keys(seen).toSorted()).toEqual(['log deep/er/00000.log', 'log worker-1.log']);
  });

  it('in topics: keys, values, names and values of headers, compressed, committed metadata', async () => {
    const prefix = uniquePrefix().replace(/\.$/, '');
    const kafka = new Kafka({ brokers: inject('kafkaBrokers').split(','), logLevel: logLevel.NOTHING });
    const admin = kafka.admin();
    const producer = kafka.producer();
    await Promise.all([admin.connect(), producer.connect()]);
    const records: Record<string, { key?: string; value: string | Buffer; headers?: Record<string, string> }> = {
      key: { key: planted, value: '' },
      value: { value: Buffer.concat([Buffer.from([0, 0, 0, 0, 1]), bytes]) },
      header: { value: 'x', headers: { ce_token: bare } },
      name: { value: 'x', headers: { [bytes.toString('hex')]: '1' } },
      nothing: { value: 'x' },
      zipped: { value: JSON.stringify({ url: `https://x/?${encodeURIComponent(bare)}` }) },
    };
    await admin.createTopics({
      topics: Object.keys(records).map((name) => ({ topic: `${prefix}.${name}`, numPartitions: 2 })),
    });
    for (const [name, message] of Object.entries(records)) {
      const compression = name === 'zipped' ? CompressionTypes.GZIP : CompressionTypes.None;
      await producer.send({ topic: `${prefix}.${name}`, compression, messages: [{ ...message, partition: 1 }] });
    }
    const administration = connectKafka({
      brokers: inject('kafkaBrokers').split(','),
      clientId: 'planting',
    }).administration();
    const position = { topic: `${prefix}.nothing`, partition: 0, offset: 0, metadata: bare };
    await administration.setCommits(`${prefix}.group`, [position]);
    await administration.close();
    await Promise.all([admin.disconnect(), producer.disconnect()]);

    const seen = await seenIn(topicsOf(inject('kafkaBrokers'), `${prefix}.`));
    const found = [
      'topic __consumer_offsets',
      ...['header', 'key', 'name', 'value', 'zipped'].map((n) => `topic ${n}`),
    ];
    expect(Object.keys(seen).toSorted()).toEqual(found.toSorted());
    expect(seen['topic value']).toEqual(['bytes']);
    expect(seen['topic name']).toEqual(['hex of bytes']);
  });

  it('in tables: text, JSON, bytes, of any schema', async () => {
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    await client.query(`CREATE SCHEMA other; CREATE TABLE other.words (it text); CREATE TABLE parts (it bytea);
      CREATE TABLE "of objects" (it jsonb); CREATE TABLE nothing (it text)`);
    await client.query('INSERT INTO other.words SELECT $1 FROM generate_series(1, 3000) n WHERE n = 2999', [bare]);
    await client.query('INSERT INTO parts VALUES ($1)', [Buffer.concat([Buffer.from('x'), bytes])]);
    await client.query('INSERT INTO "of objects" VALUES ($1)', [
      { a: [{ b: Buffer.from(planted).toString('base64') }] },
    ]);
    await client.query(`INSERT INTO nothing VALUES ('nothing')`);
    await client.end();

    const seen = await seenIn(tablesOf(database.url));
    expect(Object.keys(seen)).toEqual(['table other.words', 'table public."of objects"', 'table public.parts']);
    expect(seen['table public."of objects"']).toEqual(['base64 of text']);
    expect(seen['table public.parts']).toEqual(['hex of bytes']);
  });

  it('in what PostgreSQL and Kafka keep on disk, but for the one home of the password of the database', async () => {
    // The folder of the services is the tier's own; here one in its form.
    const services = join(folder, 'services');
    for (const part of ['kafka/data/t-0', 'postgres/data/pg_wal', 'registry'])
      mkdirSync(join(services, part), { recursive: true });
    writeFileSync(join(services, 'kafka/data/t-0/0.log'), bytes);
    writeFileSync(join(services, 'kafka/data/t-0/0.index'), Buffer.alloc(1024));
    writeFileSync(join(services, 'kafka/kafka.log'), `WARN ${bare}`);
    writeFileSync(join(services, 'postgres/data/pg_wal/0001'), bytes.toString('hex'));
    for (const home of homesOfThePassword) writeFileSync(join(services, home), planted);
    const seen = await seenIn(leftByServices(services, database.url));
    const files = Object.keys(seen).filter((place) => place.startsWith('file '));
    expect(files.toSorted()).toEqual([
      'file kafka/data/t-0/0.log',
      'file kafka/kafka.log',
      'file postgres/data/pg_wal/0001',
    ]);
    // And in the tables of every database of the server: that of the test before is one.
    const name = new URL(database.url).pathname;
    expect(Object.keys(seen)).toContain(`${name} table other.words`);
  });

  it('in answers, headers, refusals and metrics of an api', async () => {
    const [server, url] = await tellingServer();
    const api = { url, key: 'k'.repeat(20) };
    const paths = {
      '/v1/things': { get: { parameters: [{ name: 'limit', in: 'query' }] }, post: {} },
      '/v1/things/{id}': { get: {}, patch: {} },
      '/v1/things/{id}/parts/{part}': { get: {} },
      '/v1/quiet': { get: {} },
      '/v1/header': { get: {} },
    };
    try {
      expect(Object.keys(await seenIn(answersOf(api, paths))).toSorted()).toEqual([
        'GET /v1/header',
        'GET /v1/things',
        'GET /v1/things/{id}',
        'GET /v1/things/{id}/parts/{part}',
      ]);
      expect(Object.keys(await seenIn(refusalsOf(api, planted, paths))).toSorted()).toEqual([
        'refusal of PATCH /v1/things/{id}',
        'refusal of POST /v1/things',
        'refusal of a key',
      ]);
      const apps = [{ name: 'worker', url }];
      expect(Object.keys(await seenIn(metricsOf(apps)))).toEqual(['metrics of worker']);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });

  it('by its own name: secrets come from requests and answers, and are written down for the end of the tier', async () => {
    const others = Array.from({ length: 4 }, () => randomBytes(24).toString('base64url'));
    // Not what was planted above: the search at the end of the tier would find it.
    const own = formatSecret(randomBytes(32));
    noteSecrets({
      id: 'ep_1',
      secret: own,
      secrets: [{ id: 'sec_0123456789abcdef', secret: formatSecret(randomBytes(32)) }],
    });
    noteSecrets({
      authentication: { type: 'oauth2', clientSecret: others[0] },
      headers: { 'x-token': 'seen-by-its-owner' },
    });
    noteSecrets({
      authentication: { kind: 'basic', username: 'u', password: others[1] },
      orderingKey: 'of-an-event-0123',
    });
    noteSecrets({ key: others[2], token: others[3], id: 'phk_0123456789ab', partitionKey: 'of-an-event-0123' });
    const noted = [...secretsInUse().values()];
    expect(noted).toEqual(expect.arrayContaining([own, ...others]));
    expect(noted).toHaveLength(6);
    expect(() => useSecret('a short one', 'short')).toThrow(RangeError);
    const ofTier = [...secretsOfTier(inject('secretsFile')).values()];
    expect(ofTier).toEqual(expect.arrayContaining(noted));
    const found = await searchFor(secretsInUse(), [{ place: 'here', pieces: [Buffer.from(own)] }]);
    expect(() => refuseSightings(found)).toThrow(/here: secret, as text/);
  });
});

/** Tells the secret in each answer but one; items lie on a second page. */
async function tellingServer(): Promise<[Server, string]> {
  const server = createServer((request, answer) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://x');
    const [, , , id] = pathname.split('/');
    const isList = pathname === '/v1/things';
    const isFirst = isList && request.method === 'GET' && !searchParams.has('cursor');
    if (request.method !== 'GET' || request.headers.authorization !== `Bearer ${'k'.repeat(20)}`)
      if (pathname !== '/metrics') answer.statusCode = 422;
    if (pathname === '/v1/header') answer.setHeader('x-debug', bare);
    answer.setHeader('content-type', 'application/json');
    const tells =
      pathname !== '/v1/quiet' &&
      pathname !== '/v1/header' &&
      !isFirst &&
      (id === undefined || id === 't_2' || answer.statusCode === 422);
    const list = isFirst ? { data: [], nextCursor: 'next' } : { data: [{ id: 't_1' }, { id: 't_2' }] };
    answer.end(JSON.stringify({ ...(isList ? list : {}), ...(tells ? { detail: `it is ${planted}` } : {}) }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return [server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`];
}
