import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { JsonValue } from '#libs/core';
import { openSchemaCodec } from './connect.js';
import { CodecError } from './errors.js';
import { InMemoryRegistry } from './in-memory-registry.js';
import { platformSchemas, type RecordCodec } from './platform-codecs.js';
import { EventSchema } from './event-schema.js';

/** Bytes of the samples of a record (schemas/golden/samples.json), framed with its present id. */
function samplesOf(registry: InMemoryRegistry, subject: keyof typeof platformSchemas): Buffer[] {
  const file = join(import.meta.dirname, '../../../schemas/golden/samples.json');
  const samples = JSON.parse(readFileSync(file, 'utf8')) as Record<string, JsonValue[]>;
  const schema = platformSchemas[subject];
  const codec = new EventSchema(registry.register(subject, schema), JSON.stringify(schema));
  return samples[subject]!.map((json) => {
    const encoded = codec.encode(json);
    if (!encoded.ok) throw new Error(JSON.stringify(encoded.faults));
    return encoded.bytes;
  });
}

const task = (fields: object[] = []) => ({
  type: 'record',
  namespace: 'task',
  name: 'updated',
  fields: [{ name: 'id', type: 'string' }, ...fields],
});

async function open(): Promise<{
  registry: InMemoryRegistry;
  codec: Awaited<ReturnType<typeof openSchemaCodec>>;
  clock: { ms: number };
}> {
  const registry = new InMemoryRegistry();
  for (const [subject, schema] of Object.entries(platformSchemas)) registry.register(subject, schema);
  const clock = { ms: 0 };
  return { registry, codec: await openSchemaCodec(registry, () => clock.ms), clock };
}

describe('platform records', () => {
  it('come back as they went in, framed with the id of their schema', async () => {
    const { codec, registry } = await open();
    const { delivery, attempt, deadLetter, endpointConfig, tenantConfig } = codec.platform;
    const all = [
      ['posthorn.Delivery', delivery],
      ['posthorn.Attempt', attempt],
      ['posthorn.DeadLetter', deadLetter],
      ['posthorn.EndpointConfig', endpointConfig],
      ['posthorn.TenantConfig', tenantConfig],
    ] as const;
    for (const [subject, one] of all)
      for (const bytes of samplesOf(registry, subject))
        expect((one as RecordCodec<unknown>).encode(one.decode(bytes)).toString('hex')).toBe(bytes.toString('hex'));
    const [first] = samplesOf(registry, 'posthorn.Delivery');
    expect(delivery.decode(first!)).toMatchObject({
      endpointId: 'ep_1',
      acceptedAt: Date.parse('2026-03-01T12:00:00.000Z'),
      body: Buffer.from('{"specversion":"1.0"}'),
      writer: null,
    });
  });

  it('may be larger than the buffer that they are encoded in', async () => {
    const { codec, registry } = await open();
    const { delivery } = codec.platform;
    const large = { ...delivery.decode(samplesOf(registry, 'posthorn.Delivery')[0]!), body: Buffer.alloc(900_000, 7) };
    expect(delivery.decode(delivery.encode(large)).body?.equals(large.body)).toBe(true);
  });

  it('(invariant 10) of an earlier version are read in the present one, after prepare', async () => {
    const { codec, registry } = await open();
    const { tenantConfig } = codec.platform;
    const earlier = {
      type: 'record',
      namespace: 'posthorn',
      name: 'TenantConfig',
      fields: [
        { name: 'tenantId', type: 'string' },
        { name: 'name', type: 'string' },
        { name: 'gone', type: 'string' },
        { name: 'updatedAt', type: 'int' },
      ],
    };
    const id = registry.register('posthorn.TenantConfig', earlier);
    const bytes = Buffer.from([0, 0, 0, 0, id, 2, 0x61, 2, 0x62, 2, 0x63, 4]);
    expect(codec.platform.isPrepared(bytes)).toBe(false);
    expect(() => tenantConfig.decode(bytes)).toThrow(expect.objectContaining({ code: 'not-prepared' }) as Error);
    await codec.platform.prepare([null, Buffer.from([1]), bytes]);
    expect(codec.platform.isPrepared(bytes)).toBe(true);
    expect(tenantConfig.decode(bytes)).toEqual({ tenantId: 'a', name: 'b', updatedAt: 2 });
  });

  it('that cannot be decoded say why', async () => {
    const { codec, registry } = await open();
    const { delivery, tenantConfig } = codec.platform;
    const bytes = samplesOf(registry, 'posthorn.Delivery')[0]!;
    const codeOf = (work: () => unknown): string => {
      try {
        work();
      } catch (error) {
        return error instanceof CodecError ? error.code : String(error);
      }
      return 'none';
    };
    expect(codeOf(() => delivery.decode(Buffer.from('{}')))).toBe('not-framed');
    expect(codeOf(() => delivery.decode(bytes.subarray(0, -1)))).toBe('malformed');
    expect(codeOf(() => delivery.decode(Buffer.concat([bytes, Buffer.from([0])])))).toBe('malformed');
    expect(codeOf(() => tenantConfig.decode(bytes))).toBe('unknown-schema');
    const unknown = Buffer.from([0, 0, 0, 1, 0, 0]);
    await codec.platform.prepare([unknown]);
    expect(codeOf(() => delivery.decode(unknown))).toBe('unknown-schema');
    registry.available = false;
    await expect(codec.platform.prepare([Buffer.from([0, 0, 0, 2, 0, 0])])).rejects.toThrow(/does not answer/);
  });

  it('cannot be used before they are registered', async () => {
    await expect(openSchemaCodec(new InMemoryRegistry())).rejects.toThrow(/posthorn\.Attempt.*posthorn schemas apply/);
  });
});

describe('the event catalogue', () => {
  const json = (value: object, type = 'task.updated') => ({
    type,
    data: { kind: 'json' as const, value: value as never },
  });
  const avro = (bytes: Buffer, type = 'task.updated') => ({ type, data: { kind: 'avro' as const, bytes } });

  it('turns JSON into Avro by the newest version, and any version into JSON', async () => {
    const { codec, registry } = await open();
    const first = registry.register('task.updated', task());
    const second = registry.register('task.updated', task([{ name: 'n', type: 'int', default: 3 }]));
    const event = json({ id: 'a' });
    await codec.events.prepare([event]);
    expect(codec.events.toJson(event)).toEqual({ ok: true, schemaId: second, json: { id: 'a', n: 3 } });
    expect(codec.events.toAvro(event)).toEqual({
      ok: true,
      schemaId: second,
      bytes: Buffer.from([0, 0, 0, 0, second, 2, 0x61, 6]),
    });

    const old = avro(Buffer.from([0, 0, 0, 0, first, 2, 0x61]));
    expect(codec.events.isPrepared(old)).toBe(true);
    expect(codec.events.toJson(old)).toEqual({ ok: true, schemaId: first, json: { id: 'a' } });
    expect(codec.events.toAvro(old)).toEqual({ ok: true, schemaId: first, bytes: old.data.bytes });
  });

  it('says what is wrong with an event', async () => {
    const { codec, registry } = await open();
    const id = registry.register('task.updated', task());
    const notARecord = registry.register('task.odd', { type: 'map', values: 'int' });
    const events = [
      json({}, 'no.such'),
      json({ x: 1 }),
      avro(Buffer.from('{}')),
      avro(Buffer.from([0, 0, 0, 99, 0])),
      avro(Buffer.from([0, 0, 0, 0, notARecord, 0])),
      avro(Buffer.from([0, 0, 0, 0, id, 2, 0x61]), 'task.created'),
      avro(Buffer.from([0, 0, 0, 0, id, 40, 0x61])),
    ];
    await codec.events.prepare(events);
    const results = events.map((event) => codec.events.toJson(event));
    expect(results).toMatchObject([
      { code: 'unknown-event-type' },
      {
        code: 'invalid-data',
        faults: [
          { code: 'missing-field', pointer: '/id' },
          { code: 'unknown-field', pointer: '/x' },
        ],
      },
      { code: 'schema-mismatch' },
      { code: 'schema-mismatch' },
      { code: 'schema-mismatch' },
      { code: 'schema-mismatch', detail: expect.stringContaining('task.updated') as string },
      { code: 'invalid-data', faults: [] },
    ]);
    expect(events.map((event) => codec.events.toAvro(event).ok)).toEqual(results.map(({ ok }) => ok));
  });

  it('asks the registry again after 30 s for a type, 10 s for an unknown one, never for an id', async () => {
    const { codec, registry, clock } = await open();
    const events = [json({ id: 'a' }), json({}, 'no.such')];
    await codec.events.prepare(events);
    const before = registry.requests;
    clock.ms = 9_999;
    await codec.events.prepare(events);
    expect(registry.requests).toBe(before);
    registry.register('task.updated', task());
    registry.register('task.updated', task([{ name: 'n', type: 'int', default: 3 }]));
    clock.ms = 10_000;
    await codec.events.prepare(events);
    // The two lists, and the two versions that are new.
    expect(registry.requests).toBe(before + 4);
    expect(codec.events.toJson(json({ id: 'a' }))).toMatchObject({ ok: true, json: { n: 3 } });
    clock.ms = 39_999;
    expect(codec.events.isPrepared(json({}))).toBe(true);
    clock.ms = 40_000;
    expect(codec.events.isPrepared(json({}))).toBe(false);
  });

  it('tells a silent registry from an unknown type, and goes on with what it knows', async () => {
    const { codec, registry, clock } = await open();
    registry.register('task.updated', task());
    registry.available = false;
    await expect(codec.events.prepare([json({ id: 'a' })])).rejects.toThrow(
      expect.objectContaining({ name: 'RegistryUnavailable' }) as Error,
    );
    await expect(codec.ping()).rejects.toThrow(/does not answer/);
    registry.available = true;
    await codec.events.prepare([json({ id: 'a' })]);
    registry.available = false;
    clock.ms = 30_000;
    await codec.events.prepare([json({ id: 'a' })]);
    expect(codec.events.toJson(json({ id: 'a' })).ok).toBe(true);
  });

  it('never forgets what the present batch needs, however many unknown types it has met', async () => {
    const { codec } = await open();
    for (let batch = 0; batch < 50; batch += 1) {
      const events = Array.from({ length: 500 }, (_, i) => json({}, `t${batch}.x${i}`));
      await codec.events.prepare(events);
      expect(events.every((event) => !codec.events.toJson(event).ok)).toBe(true);
    }
  });

  it('asks once for what many wait for', async () => {
    const { codec, registry } = await open();
    registry.register('task.updated', task());
    const before = registry.requests;
    await Promise.all([1, 2, 3].map(() => codec.events.prepare([json({ id: 'a' })])));
    // The list and its one version.
    expect(registry.requests).toBe(before + 2);
  });
});
