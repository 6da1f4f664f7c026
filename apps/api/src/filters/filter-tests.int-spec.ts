// Real: Nest, Fastify, PostgreSQL, Kafka. Doubled: the schema registry.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { faults, ReplayWorld } from '../../test/replay-world.js';

let world: ReplayWorld;

beforeAll(async () => {
  world = await ReplayWorld.start('filters', { events: 3, deliveries: 1 });
  await world.createTenants('acme', 'other', 'idle');
  await world.sender.send([
    ...Array.from({ length: 30 }, (_, i) =>
      world.anEvent(i % 3, { id: `e-${i}`, subject: i % 2 === 0 ? 'even' : 'odd', data: { text: 'x', stars: i } }),
    ),
    world.anEvent(0, { tenant: 'other', id: 'other' }),
    world.anEvent(1, { type: 'note.removed', id: 'removed' }),
    world.anEvent(2, { id: 'not of its type', data: { text: 7 } }),
  ]);
});
afterAll(() => world?.close());

const test = (body: object) => world.api.call('POST', '/v1/filters/test', body);
const event = {
  specversion: '1.0',
  id: 'e-1',
  source: '/notes',
  type: 'note.added',
  time: '2026-03-01T12:00:00Z',
  data: { text: 'hello' },
};

describe('POST /v1/filters/test with an event', () => {
  it('says whether it matches', async () => {
    const filters = [{ prefix: { type: 'note.' } }, { cel: 'data.text.startsWith("h") && data.stars == 0' }];
    const { status, body } = await test({ filters, event });
    expect(status).toBe(200);
    expect(body).toEqual({
      results: [
        { id: 'e-1', source: '/notes', type: 'note.added', time: '2026-03-01T12:00:00Z', match: true, error: null },
      ],
      totals: { events: 1, matched: 1, errors: 0, rejected: 0 },
      lookedBack: null,
    });
    expect((await test({ filters: [{ not: filters[0] }], event })).body['totals']).toMatchObject({ matched: 0 });
  });

  it('says why it could not be said', async () => {
    const { body } = await test({ filters: [{ cel: 'data.missing == 1' }], event });
    expect(body['results']).toMatchObject([{ match: false, error: 'No such field: missing' }]);
    expect(body['totals']).toMatchObject({ matched: 0, errors: 1 });
  });

  it.each<[string, object, unknown[]]>([
    ['nothing', {}, [['/filters', 'required']]],
    [
      'no events',
      { filters: [] },
      [
        ['/tenantId', 'required'],
        ['/type', 'required'],
        ['/last', 'required'],
      ],
    ],
    ['both', { filters: [], event, last: 1 }, [['/last', 'not-here']]],
    ['too many', { filters: [], tenantId: 'acme', type: 'note.added', last: 101 }, [['/last', 'too-big']]],
    ['no type', { filters: [], tenantId: 'acme', type: 'note.*', last: 1 }, [['/type', 'invalid']]],
    ['no tenant', { filters: [], tenantId: 'nobody', type: 'note.added', last: 1 }, [['/tenantId', 'unknown-tenant']]],
    ['no dialect', { filters: [{ all: [{ sql: 'x' }] }], event }, [['/filters/0/all/0/sql', 'unknown-dialect']]],
    ['no event', { filters: [], event: { ...event, id: '' } }, [['/event/id', 'invalid-attribute']]],
    ['no schema', { filters: [], event: { ...event, type: 'note.gone' } }, [['/event/type', 'unknown-event-type']]],
    ['no such version', { filters: [], event, version: 9 }, [['/version', 'unknown-version']]],
    ['no version', { filters: [], event, version: 'first' }, [['/version', 'invalid']]],
    ['no such data', { filters: [], event: { ...event, data: { text: 7 } } }, [['/event/data/text', 'wrong-type']]],
  ])('refuses %s', async (_name, body, expected) => {
    const { status, body: problem } = await test(body);
    expect({ status, faults: faults(problem) }).toEqual({ status: 422, faults: expected });
  });

  it('says where in an expression a fault stands', async () => {
    const { body } = await test({ filters: [{ not: { cel: 'true &&\n  priority == 1' } }], event });
    expect(body['errors']).toEqual([
      {
        pointer: '/filters/0/not/cel',
        code: 'invalid',
        detail: "Unknown variable: priority. Fields of an event's data are written data.priority.",
        position: { index: 10, line: 2, column: 3 },
      },
    ]);
  });
});

describe('POST /v1/filters/test with the latest events of a type', () => {
  const latest = { tenantId: 'acme', type: 'note.added' };

  it('tries them, latest first, those of other tenants and types never', async () => {
    const { status, body } = await test({ filters: [{ cel: 'data.stars >= 10' }], ...latest, last: 100 });
    expect(status).toBe(200);
    const results = body['results'] as unknown as { id: string; match: boolean }[];
    expect(results.map(({ id }) => id).sort()).toEqual(Array.from({ length: 30 }, (_, i) => `e-${i}`).sort());
    for (const { id, match } of results) expect(match).toBe(Number(id.slice(2)) >= 10);
    expect(body['totals']).toEqual({ events: 30, matched: 20, errors: 0, rejected: 1 });
    expect(body['lookedBack']).toEqual({ records: 33, since: null, partial: false });
  });

  it('as many as are asked for', async () => {
    const filters = [{ exact: { subject: 'even' } }];
    const { body } = await test({ filters, ...latest, last: 5 });
    // One of the latest is of no use to anybody.
    const totals = body['totals'] as unknown as { events: number; rejected: number };
    expect(totals.events + totals.rejected).toBe(5);
    expect(body['lookedBack']).toMatchObject({ partial: false });
  });

  it('in a version of their data, if there is one', async () => {
    const filters = [{ cel: 'data.stars < 100' }];
    const { body } = await test({ filters, ...latest, last: 5, version: 1 });
    expect((body['totals'] as unknown as { matched: number }).matched).toBeGreaterThan(0);
    const refused = await test({ filters, ...latest, last: 5, version: 9 });
    expect({ status: refused.status, faults: faults(refused.body) }).toEqual({
      status: 422,
      faults: [['/version', 'unknown-version']],
    });
  });

  it('none, when there are none', async () => {
    const { status, body } = await test({ filters: [], ...latest, tenantId: 'idle', last: 5 });
    expect({ status, body }).toMatchObject({ status: 200, body: { results: [], lookedBack: { partial: false } } });
  });
});
