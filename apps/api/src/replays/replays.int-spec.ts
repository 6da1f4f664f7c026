// Real: Nest, Fastify, PostgreSQL, repositories, Kafka. Doubled: the schema registry. Given by hand: what dispatchers write.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ReplayParts } from '#libs/persistence';
import { testCodec } from '../../test/event-codec.js';
import { faults, ReplayWorld } from '../../test/replay-world.js';

let world: ReplayWorld;
let endpoints: string[];

beforeAll(async () => {
  world = await ReplayWorld.start('replays', { events: 3, deliveries: 2 });
  await world.createTenants('acme', 'other', 'idle');
  endpoints = [
    await world.createEndpoint('acme', 'note.*'),
    await world.createEndpoint('acme', 'note.added', 'task.updated'),
    await world.createEndpoint('other', '*'),
  ];
});
afterAll(() => world?.close());
beforeEach(() => world.beginAnew());

describe('a replay of events', () => {
  it('names the offsets of a window of time as it stands in the log, and tells dispatchers', async () => {
    const { from, begins } = await world.here();
    await world.sender.send([world.anEvent(0), world.anEvent(0), world.anEvent(2)]);
    await new Promise((resolve) => setTimeout(resolve, 5));
    const to = new Date().toISOString();
    await new Promise((resolve) => setTimeout(resolve, 5));
    await world.sender.send([world.anEvent(0), world.anEvent(1)]);
    const rateLimit = { limit: 5, per: 'second' };
    const filter = { prefix: { source: '/notes' } };
    const body = { from, to, rateLimit, filter, eventTypes: ['note.*'], newIds: true, description: 'again' };
    const { status, body: created } = await world.replay(body);
    expect(status).toBe(201);
    const id = created['id'] as unknown as string;
    expect(created).toEqual({
      id: expect.stringMatching(/^replay:[0-9a-f-]{36}$/) as string,
      tenantId: 'acme',
      source: 'events',
      state: 'running',
      description: 'again',
      endpointIds: endpoints.slice(0, 2),
      eventTypes: ['note.*'],
      filter,
      selection: null,
      rateLimit: { limit: 5, per: 'second', burst: 5 },
      newIds: true,
      asConfigured: 'now',
      window: { from, to },
      partitions: [
        { partition: 0, from: begins[0], to: begins[0]! + 2, position: begins[0], done: false },
        { partition: 2, from: begins[2], to: begins[2]! + 1, position: begins[2], done: false },
      ],
      gap: null,
      progress: {
        scanned: 0,
        matched: 0,
        sent: 0,
        delivered: 0,
        failed: 0,
        dropped: 0,
        remaining: { records: 3, deliveries: 0 },
        rate: 0,
        expectedEnd: null,
      },
      revision: 1,
      createdAt: expect.stringMatching(/Z$/) as string,
      updatedAt: created['createdAt'],
      finishedAt: null,
    });
    expect((await world.api.call('GET', `/v1/replays/${id}`)).body).toEqual(created);
    expect((await world.api.call('GET', '/v1/replays?tenantId=acme')).body).toEqual({
      data: [created],
      nextCursor: null,
    });
    expect((await world.api.call('GET', '/v1/replays?tenantId=other')).body).toEqual({ data: [], nextCursor: null });
    const parts = await new ReplayParts(world.database).parts(2);
    expect(parts).toMatchObject([{ replayId: id, partition: 2, filter, incarnation: 0, source: 'events' }]);
    const { codec } = await testCodec();
    const record = (await world.configurations(id)).at(-1);
    expect(codec.platform.replayConfig.decode(record!.value!)).toMatchObject({ state: 'running', tenantId: 'acme' });
  });

  it('never reaches beyond the end of the log, and takes the incarnation from the dispatchers', async () => {
    await world.sender.send([world.anEvent(1)]);
    const {
      begins: [, end],
    } = await world.here();
    const administration = world.kafka.administration();
    const at = { topic: world.names.events, partition: 1, offset: 0, metadata: '1;4;-' };
    await administration.setCommits(`${world.api.config.topicPrefix}.dispatcher`, [at]);
    await administration.close();
    const partitions = [{ partition: 1, from: end! - 1, to: end! + 1_000 }];
    const { body } = await world.replay({ partitions });
    expect(body).toMatchObject({
      window: { partitions: [{ partition: 1, from: end! - 1, to: end }] },
      partitions: [{ from: end! - 1, to: end }],
    });
    expect(await new ReplayParts(world.database).parts(1)).toMatchObject([{ incarnation: 4 }]);
    const none = await world.replay({ partitions: [{ partition: 1, from: end! + 5 }] });
    expect([none.status, none.body['code']]).toEqual([409, 'nothing-to-replay']);
  });

  it('is steered, with a record for each change, until it has ended', async () => {
    const { from } = await world.here();
    await world.sender.send([world.anEvent(0)]);
    const { body } = await world.replay({ from, endpointIds: [endpoints[0]] });
    const id = body['id'] as unknown as string;
    const call = async (method: string, path: string, patch?: object) => {
      const answer = await world.api.call(method, `/v1/replays/${id}${path}`, patch);
      return [answer.status, answer.body['state'] ?? answer.body['code'], answer.body['revision']];
    };
    expect(await call('POST', '/pause')).toEqual([200, 'paused', 2]);
    expect(await call('POST', '/pause')).toEqual([200, 'paused', 2]);
    expect(await call('PATCH', '', { rateLimit: { limit: 2, per: 'minute' } })).toEqual([200, 'paused', 3]);
    expect(await call('PATCH', '', { rateLimit: { limit: 3 } })).toEqual([200, 'paused', 4]);
    expect(await call('PATCH', '', {})).toEqual([200, 'paused', 4]);
    const wrong = await world.api.call('PATCH', `/v1/replays/${id}`, { rateLimit: { limit: 0 }, state: 'x' });
    expect(faults(wrong.body)).toEqual([['/state', 'unknown-field']]);
    expect(faults((await world.api.call('PATCH', `/v1/replays/${id}`, { rateLimit: { limit: 0 } })).body)).toEqual([
      ['/rateLimit/limit', 'invalid'],
    ]);
    const stale = { 'if-match': '"3"' };
    const late = await world.api.call('PATCH', `/v1/replays/${id}`, { rateLimit: { limit: 9 } }, stale);
    expect([late.status, late.body['code'], late.headers['etag']]).toEqual([412, 'precondition-failed', '"4"']);
    const { headers } = await world.api.call('GET', `/v1/replays/${id}`);
    const same = { 'if-match': String(headers['etag']) };
    expect((await world.api.call('PATCH', `/v1/replays/${id}`, {}, same)).status).toBe(200);
    expect(await call('POST', '/resume')).toEqual([200, 'running', 5]);
    expect(await call('PATCH', '', { rateLimit: null })).toEqual([200, 'running', 6]);
    expect(await call('POST', '/cancel')).toEqual([200, 'cancelled', 7]);
    expect(await call('POST', '/cancel')).toEqual([200, 'cancelled', 7]);
    expect(await call('POST', '/resume')).toEqual([409, 'replay-ended', undefined]);
    const { codec } = await testCodec();
    const seen = await world.configurations(id);
    const decoded = seen.map(({ value }) => codec.platform.replayConfig.decode(value!));
    expect(decoded.at(-1)).toMatchObject({ state: 'cancelled', rateLimit: null, revision: 7 });
    expect(decoded.find(({ revision }) => revision === 4)?.rateLimit).toEqual({ limit: 3, per: 'minute', burst: 1 });
    // Its dispatcher ends it without having sent anything: nobody has to ask for that to be noticed.
    await world.database.session.query('INSERT INTO source_partitions VALUES (0, 1)');
    const [part] = await new ReplayParts(world.database).parts(0);
    const { replayId, partition, to: position, scanned, matched, sent } = part!;
    await new ReplayParts(world.database).checkpoint(0, 1, {
      replayId,
      partition,
      position,
      scanned,
      matched,
      sent,
      done: true,
      replayed: [],
    });
    const tombstone = async () => (await world.configurations(id)).at(-1)?.value;
    await expect.poll(tombstone, { timeout: 10_000 }).toBeNull();
    expect((await world.api.call('GET', `/v1/replays/${id}`)).body).toMatchObject({
      state: 'cancelled',
      finishedAt: expect.stringMatching(/Z$/) as string,
    });
    for (const [method, path] of [
      ['GET', '/v1/replays/replay:none'],
      ['POST', '/v1/replays/replay:none/pause'],
    ] as const) {
      expect((await world.api.call(method, path)).body['code']).toBe('not-found');
    }
  });

  it('tells of its progress', async () => {
    const { from, begins } = await world.here();
    await world.sender.send(Array.from({ length: 10 }, () => world.anEvent(0)));
    const { body } = await world.replay({ from, endpointIds: [endpoints[0]] });
    const replayId = body['id'] as unknown as string;
    await world.database.session.query('INSERT INTO source_partitions VALUES (0, 1)');
    const at = { replayId, partition: 0, scanned: 8, matched: 6, sent: 6, done: false, replayed: [] };
    await new ReplayParts(world.database).checkpoint(0, 1, { ...at, position: begins[0]! + 8 });
    await world.database.session.query(
      `INSERT INTO deliveries (delivery_id, webhook_id, tenant_id, endpoint_id, stream, event_id, event_source, event_type,
         status, attempts, accepted_at, dispatched_at, completed_at)
       SELECT 'd' || i, 'w', 'acme', 'ep', $1, 'e', '/s', 't', status, 1, now(), now(),
         CASE WHEN status <> 'pending' THEN now() END
       FROM unnest(ARRAY['delivered', 'delivered', 'dead-lettered', 'pending']) WITH ORDINALITY AS d (status, i)`,
      [replayId],
    );
    const { body: seen } = await world.api.call('GET', `/v1/replays/${encodeURIComponent(replayId)}`);
    expect(seen).toMatchObject({
      state: 'running',
      progress: {
        scanned: 8,
        matched: 6,
        sent: 6,
        delivered: 2,
        failed: 1,
        dropped: 0,
        remaining: { records: 2, deliveries: 3 },
        expectedEnd: expect.stringMatching(/Z$/) as string,
      },
    });
    expect((seen['progress'] as unknown as { rate: number }).rate).toBeGreaterThan(0);
    await new ReplayParts(world.database).checkpoint(0, 1, { ...at, position: begins[0]! + 10, done: true });
    expect((await world.api.call('GET', `/v1/replays/${replayId}`)).body['state']).toBe('delivering');
    await world.database.session.query(
      `UPDATE deliveries SET status = 'dropped', completed_at = now() WHERE status = 'pending'`,
    );
    await world.database.session.query(`UPDATE replay_partitions SET sent = 4`);
    const state = async () => (await world.api.call('GET', `/v1/replays/${replayId}`)).body['state'];
    await expect.poll(state, { timeout: 10_000 }).toBe('completed');
  });

  it.each<[object, unknown[]]>([
    [{}, [['/from', 'required']]],
    [{ from: 'yesterday' }, [['/from', 'invalid']]],
    [{ from: '2026-01-02T00:00:00Z', to: '2026-01-01T00:00:00Z' }, [['/to', 'invalid']]],
    [{ from: '2026-01-01T00:00:00Z', partitions: [{ partition: 0, from: 0 }] }, [['/from', 'not-here']]],
    [{ partitions: [{ partition: 0, from: 5, to: 5 }] }, [['/partitions/0/to', 'invalid']]],
    [{ partitions: [{ partition: 0, from: -1 }] }, [['/partitions/0/from', 'too-small']]],
    [{ partitions: [0, 0].map((partition) => ({ partition, from: 0 })) }, [['/partitions', 'invalid']]],
    [{ partitions: [{ partition: 3, from: 0 }] }, [['/partitions/0/partition', 'too-big']]],
    [{ from: '2026-01-01T00:00:00Z', eventTypes: ['note.*', 'a*'] }, [['/eventTypes/1', 'invalid']]],
    [{ from: '2026-01-01T00:00:00Z', filter: { all: [{ sql: 'x' }] } }, [['/filter/all/0/sql', 'unknown-dialect']]],
    [{ from: '2026-01-01T00:00:00Z', filter: [{ exact: { 'a/b': '' } }] }, [['/filter/0/exact/a~1b', 'invalid']]],
    [{ from: '2026-01-01T00:00:00Z', rateLimit: { limit: 5 } }, [['/rateLimit/per', 'not-one-of']]],
    [{ from: '2026-01-01T00:00:00Z', endpointIds: ['nobody'] }, [['/endpointIds/0', 'unknown-endpoint']]],
    [{ from: '2026-01-01T00:00:00Z', tenantId: 'nobody' }, [['/tenantId', 'unknown-tenant']]],
    [{ source: 'dead-letters', filter: { exact: { id: 'a' } } }, [['/filter', 'not-here']]],
    [{ source: 'dead-letters', asConfigured: 'then' }, [['/asConfigured', 'not-here']]],
    [{ source: 'queue', from: '2026-01-01T00:00:00Z' }, [['/source', 'not-one-of']]],
  ])('is refused: %j', async (body, expected) => {
    const { status, body: problem } = await world.replay(body);
    expect([status, faults(problem)]).toEqual([422, expected]);
    expect((await world.api.call('GET', '/v1/replays')).body['data']).toEqual([]);
  });

  it('is not made for an endpoint of another tenant, nor for a tenant without any', async () => {
    const from = '2026-01-01T00:00:00Z';
    expect(faults((await world.replay({ from, endpointIds: [endpoints[0], endpoints[2]] })).body)).toEqual([
      ['/endpointIds/1', 'unknown-endpoint'],
    ]);
    expect((await world.replay({ from, tenantId: 'idle' })).body['code']).toBe('nothing-to-replay');
  });
});
