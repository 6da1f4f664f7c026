/**
 * Adds the present version of every schema to schemas/golden, where it is not there yet: its schema, values in JSON form
 * (from schemas/golden/samples.json) and their bytes, framed with schema id 1. What is there is never changed: it stands
 * for what lies in somebody's log.
 *
 * `npx tsx --conditions=source scripts/gen/golden.ts`
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EventSchema } from '../../libs/schema-codec/src/event-schema.js';

const schemas = join(dirname(fileURLToPath(import.meta.url)), '../../schemas');
const read = (...path: string[]): unknown => JSON.parse(readFileSync(join(schemas, ...path), 'utf8'));
const samples = read('golden', 'samples.json') as Record<string, never[]>;

for (const kind of ['platform', 'events'])
  for (const file of readdirSync(join(schemas, kind)).filter((name) => name.endsWith('.avsc')))
    addVersion(read(kind, file));

function addVersion(schema: unknown): void {
  const text = JSON.stringify(schema);
  const codec = new EventSchema(1, text);
  const folder = join(schemas, 'golden', codec.type);
  const versions = existsSync(folder) ? readdirSync(folder) : [];
  const known = versions.map((version) => read('golden', codec.type, version) as { schema: unknown });
  if (known.some((golden) => JSON.stringify(golden.schema) === text)) return;
  const values = (samples[codec.type] ?? []).map((json) => {
    const encoded = codec.encode(json);
    if (!encoded.ok) throw new Error(`the sample of ${codec.type} is not valid: ${JSON.stringify(encoded.faults)}`);
    return { json, base64: encoded.bytes.toString('base64') };
  });
  if (values.length === 0) throw new Error(`schemas/golden/samples.json has no value of ${codec.type}`);
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${versions.length + 1}.json`);
  writeFileSync(path, `${JSON.stringify({ schema, values }, null, 2)}\n`);
  console.log(`wrote ${path}`);
}
