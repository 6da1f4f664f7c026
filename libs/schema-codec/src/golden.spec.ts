/** Invariant 10: every stored record of every earlier schema version still decodes. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { JsonValue } from '#libs/core';
import { openSchemaCodec } from './connect.js';
import { parseEventFolder, readFolder } from './event-folder.js';
import { EventSchema } from './event-schema.js';
import { InMemoryRegistry } from './in-memory-registry.js';
import { platformSchemas, type PlatformCodecs, type PlatformSubject, type RecordCodec } from './platform-codecs.js';

interface Golden {
  readonly subject: string;
  readonly version: string;
  readonly schema: object;
  readonly values: readonly { readonly json: JsonValue; readonly base64: string }[];
}

const root = join(import.meta.dirname, '../../../schemas');
const goldens: Golden[] = readdirSync(join(root, 'golden'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .flatMap(({ name: subject }) =>
    readdirSync(join(root, 'golden', subject)).map((file) => ({
      subject,
      version: file,
      ...(JSON.parse(readFileSync(join(root, 'golden', subject, file), 'utf8')) as Pick<Golden, 'schema' | 'values'>),
    })),
  );
const codecNames: Record<
  PlatformSubject,
  Exclude<keyof PlatformCodecs, 'prepare' | 'isPrepared' | 'isFence' | 'isEndOfSpace'>
> = {
  'posthorn.Delivery': 'delivery',
  'posthorn.Attempt': 'attempt',
  'posthorn.AuditEntry': 'auditEntry',
  'posthorn.DeadLetter': 'deadLetter',
  'posthorn.EndpointConfig': 'endpointConfig',
  'posthorn.EndOfSpace': 'endOfSpace',
  'posthorn.EndpointStatus': 'endpointStatus',
  'posthorn.Fence': 'fence',
  'posthorn.ReplayConfig': 'replayConfig',
  'posthorn.TenantConfig': 'tenantConfig',
  'posthorn.TransformationConfig': 'transformationConfig',
};

/** Whether two values agree in all that both of them know of. */
function agree(a: JsonValue, b: JsonValue): boolean {
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, index) => agree(item as JsonValue, b[index] as JsonValue));
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  const [left, right] = [a as Record<string, JsonValue>, b as Record<string, JsonValue>];
  return Object.keys(left).every((key) => !(key in right) || agree(left[key]!, right[key]!));
}

describe.each(goldens)('$subject $version', ({ schema, values }) => {
  it('decodes to the values that were encoded', () => {
    const codec = new EventSchema(1, JSON.stringify(schema));
    for (const { json, base64 } of values) expect(codec.decode(Buffer.from(base64, 'base64'))).toEqual(json);
  });
});

describe.each(goldens.filter(({ subject }) => subject in platformSchemas))(
  '$subject $version',
  ({ subject, schema, values }) => {
    it('invariant 10: is read by the present version', async () => {
      const registry = new InMemoryRegistry();
      for (const [name, present] of Object.entries(platformSchemas)) registry.register(name, present);
      const { platform } = await openSchemaCodec(registry);
      const codec = platform[codecNames[subject as PlatformSubject]] as RecordCodec<unknown>;
      const id = registry.register(subject, schema);
      for (const { json, base64 } of values) {
        const bytes = Buffer.from(base64, 'base64');
        bytes.writeUInt32BE(id, 1);
        await platform.prepare([bytes]);
        const again = codec.encode(codec.decode(bytes));
        const present = new EventSchema(
          again.readUInt32BE(1),
          JSON.stringify(platformSchemas[subject as PlatformSubject]),
        );
        expect(agree(present.decode(again), json)).toBe(true);
      }
    });
  },
);

const { types, faults } = parseEventFolder(await readFolder(join(root, 'events')));
const eventVersions = [...types].flatMap(([type, versions]) => versions.map((version) => ({ type, ...version })));

describe.each(goldens.filter(({ subject }) => types.has(subject)))('$subject $version', (golden) => {
  it.each(types.get(golden.subject) ?? [])('is read as version $version of its type', ({ schema }) => {
    const writer = new EventSchema(1, JSON.stringify(golden.schema));
    const reader = new EventSchema(2, JSON.stringify(schema));
    for (const { json, base64 } of golden.values) {
      const read = writer.decodeAs(reader, Buffer.from(base64, 'base64')) ?? 'unreadable';
      expect(agree(read, json)).toBe(true);
      // And is a whole value of that version.
      expect(reader.encode(read)).toMatchObject({ ok: true });
    }
  });
});

describe('the golden files', () => {
  const platform = readdirSync(join(root, 'platform')).map(
    (file) => JSON.parse(readFileSync(join(root, 'platform', file), 'utf8')) as { name: string },
  );
  const holds = (schema: object): boolean =>
    goldens.some((golden) => JSON.stringify(golden.schema) === JSON.stringify(schema));

  it.each(platform)('hold the present version of $name (else run scripts/gen/golden.ts)', (schema) => {
    expect(holds(schema)).toBe(true);
  });

  it.each(eventVersions)('hold version $version of $type, under its number', ({ type, version, schema }) => {
    expect(faults).toEqual([]);
    const golden = goldens.find(({ subject, version: file }) => subject === type && file === `${version}.json`);
    expect(golden?.schema).toEqual(schema);
  });
});
