import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Delivery } from '#libs/contracts';
import type { PlatformCodecs } from '#libs/schema-codec';
import { batchOf, bodyOf, entryIdOf, haveEqualHeaders, isBatchable } from './batch-record.js';
import { WorkerWorld } from './testing/worker-world.js';

const writer = { era: 1, generation: 2 };
let codecs: PlatformCodecs;
let sample: Delivery;
beforeAll(async () => {
  const world = await WorkerWorld.open();
  codecs = world.codecs;
  await world.deliver('ep_1', 3);
  const [record] = world.log.recordsOf(world.topics.deliveries);
  sample = codecs.delivery.decode(record?.value ?? Buffer.alloc(0));
});

const member = (pos: number, changes: Partial<Delivery> = {}): Delivery => ({
  ...sample,
  contentType: 'application/cloudevents+json; charset=UTF-8',
  sourceOffset: pos,
  eventId: `e-${pos}`,
  webhookId: `msg_${pos}`,
  pos,
  ...changes,
});

describe('a batch as a record', () => {
  it('is a JSON array of what its members are, whatever they hold (property)', () => {
    fc.assert(
      fc.property(fc.array(fc.json({ noUnicodeString: false }), { minLength: 1, maxLength: 20 }), (bodies) => {
        const [first, ...others] = bodies.map((body, pos) => member(pos, { body: Buffer.from(body) }));
        const batch = batchOf([first!, ...others], 1, writer);
        const read = codecs.delivery.decode(codecs.delivery.encode(batch));
        expect(JSON.parse(bodyOf(read).toString())).toEqual(bodies.map((body) => JSON.parse(body) as unknown));
        expect(read).toEqual(batch);
      }),
    );
  });

  it('is named by its first member, and told apart from it', () => {
    const batch = batchOf([member(3), member(5)], 4, writer);
    expect(entryIdOf(batch)).toBe(`batch:${entryIdOf(member(3))}`);
    expect(batch).toMatchObject({ pos: 3, hop: 4, writer, attempt: 0, body: null, haltedAt: null });
  });

  it('needs the newest configuration of its members, and expires with the oldest of them', () => {
    const members = [
      member(1, { configVersion: 9, dispatchedAt: 500 }),
      member(2, { configVersion: 4, scheduledSince: 300 }),
    ];
    expect(batchOf([members[0]!, members[1]!], 1, writer)).toMatchObject({ configVersion: 9, scheduledSince: 300 });
  });

  it('has room in a record wherever one delivery alone has: dispatchers leave 1,024 bytes', () => {
    const long = {
      tenantId: 't'.repeat(100),
      endpointId: 'e'.repeat(40),
      stream: `replay:${'r'.repeat(40)}`,
      eventSource: 's'.repeat(500),
    };
    const headers = { 'x-a': 'a'.repeat(8_000) };
    const single = member(1, { ...long, headers, pos: null, body: Buffer.alloc(100_000) });
    const batch = batchOf([{ ...single, pos: 2 ** 40 }], 1_000, writer);
    const grown = { ...batch, attempt: 1_000, dueAt: 2 ** 42, haltedAt: 2 ** 42 };
    expect(codecs.delivery.encode(grown).length - codecs.delivery.encode(single).length).toBeLessThan(700);
  });
});

describe('a delivery', () => {
  it('travels with others unless it was sent before, cannot be sent, or is no JSON', () => {
    expect(isBatchable(member(1), 'live')).toBe(true);
    expect(isBatchable(member(1), 'replay:1')).toBe(true);
    expect(isBatchable(member(1, { headers: { 'x-ce-a': '1' } }), 'live')).toBe(true);
    expect(isBatchable(member(1), 'test:1')).toBe(false);
    const others: Partial<Delivery>[] = [
      { attempt: 1 },
      { body: null },
      { renderError: 'it failed' },
      { haltedAt: 1 },
      { contentType: 'application/xml' },
      { headers: { 'x-a': '1', 'Ce-id': '1' } },
      { members: [] },
    ];
    expect(others.filter((changes) => isBatchable(member(1, changes), 'live'))).toEqual([]);
  });

  it('travels with those of the same media type and headers', () => {
    const one = member(1, { headers: { 'x-a': '1', 'x-b': '2' } });
    const goesWith = (changes: Partial<Delivery>) => haveEqualHeaders(one, { ...one, ...changes });
    expect(goesWith({ headers: { 'x-b': '2', 'x-a': '1' } })).toBe(true);
    expect(goesWith({ contentType: 'application/json' })).toBe(false);
    const others = [{}, { 'x-a': '1' }, { 'x-a': '1', 'x-b': '3' }, { 'x-a': '1', 'x-c': '2' }];
    expect(others.filter((headers) => goesWith({ headers }))).toEqual([]);
    expect(goesWith({ headers: { ...one.headers, 'x-c': '3' } })).toBe(false);
  });
});
