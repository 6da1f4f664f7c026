/**
 * Adds every version of every schema to schemas/golden, where it is not there yet: its schema, values in JSON form and
 * their bytes, framed with schema id 1. What is there is never changed: it stands for what lies in somebody's log.
 *
 * Values come from schemas/golden/samples.json, those of earlier versions of events from their examples. A golden file of
 * an event has the number of its version, one of the platform's the next number that is free.
 *
 * `npx tsx --conditions=source scripts/gen/golden.ts`
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readEventFolder } from '../../libs/schema-codec/src/event-folder.js';
import { readEventMeta } from '../../libs/schema-codec/src/event-meta.js';
import { EventSchema } from '../../libs/schema-codec/src/event-schema.js';

const schemas = join(dirname(fileURLToPath(import.meta.url)), '../../schemas');
const read = (...path: string[]): unknown => JSON.parse(readFileSync(join(schemas, ...path), 'utf8'));
const samples = read('golden', 'samples.json') as Record<string, readonly never[]>;

for (const file of readdirSync(join(schemas, 'platform'))) addVersion(read('platform', file) as object);

const eventMeta = await readEventMeta(join(schemas, 'events'));
for (const [type, versions] of await readEventFolder(join(schemas, 'events')))
  for (const { version, schema } of versions) {
    const examples = eventMeta.get(type)?.examples.get(version) ?? [];
    addVersion(schema, version, version === versions.length ? (samples[type] ?? examples) : examples);
  }

function addVersion(schema: object, version?: number, values?: readonly unknown[]): void {
  const text = JSON.stringify(schema);
  const codec = new EventSchema(1, text);
  const folder = join(schemas, 'golden', codec.type);
  const versions = existsSync(folder) ? readdirSync(folder) : [];
  const known = versions.map((file) => read('golden', codec.type, file) as { schema: unknown });
  if (known.some((golden) => JSON.stringify(golden.schema) === text)) return;
  const encoded = (values ?? samples[codec.type] ?? []).map((json) => {
    const result = codec.encode(json as never);
    if (!result.ok) throw new Error(`the sample of ${codec.type} is not valid: ${JSON.stringify(result.faults)}`);
    return { json, base64: result.bytes.toString('base64') };
  });
  if (encoded.length === 0) throw new Error(`no values of ${codec.type}: see the top of scripts/gen/golden.ts`);
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${version ?? versions.length + 1}.json`);
  if (existsSync(path)) throw new Error(`${path} is another schema: a version that was written is never changed`);
  writeFileSync(path, `${JSON.stringify({ schema, values: encoded }, null, 2)}\n`);
  console.log(`wrote ${path}`);
}
