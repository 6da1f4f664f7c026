/** docs/evolving-events.md tells the truth: its versions, what endpoints get of them, its refusals and its commands. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { JsonValue } from '#libs/core';
import { projectRoot } from '#libs/config';
import {
  InMemoryRegistry,
  openSchemaCodec,
  parseAvroSchema,
  parseEventMeta,
  platformSchemas,
  type EventSchema,
} from '#libs/schema-codec';
import { faultTexts } from './schema-changes.js';
import { diffSchemas } from './schema-show.js';

interface Block {
  readonly info: string;
  readonly text: string;
}

const doc = readFileSync(join(projectRoot(), 'docs/evolving-events.md'), 'utf8');
const blocksOf = (text: string): Block[] =>
  Array.from(text.matchAll(/^```(.+)\n([^]*?)^```$/gm), ([, info = '', body = '']) => ({ info, text: body }));
const sections = doc
  .split(/^## /m)
  .slice(1)
  .map((text) => ({ title: text.slice(0, text.indexOf('\n')), blocks: blocksOf(text) }));
const withVersions = sections.filter(({ blocks }) => blocks.some(({ info }) => info.startsWith('json avro')));

/** The blocks whose info fits, with what the pattern captured. */
const matching = (blocks: readonly Block[], pattern: RegExp) =>
  blocks.flatMap(({ info, text }) => {
    const found = pattern.exec(info);
    return found === null ? [] : [{ numbers: found.slice(1).map(Number), json: JSON.parse(text) as JsonValue }];
  });

async function registered(schemas: readonly object[]): Promise<readonly EventSchema[]> {
  const registry = new InMemoryRegistry();
  for (const [subject, schema] of Object.entries(platformSchemas)) registry.register(subject, schema);
  const [first] = schemas;
  const node = parseAvroSchema(first ?? {});
  const type = 'name' in node ? node.name : '';
  for (const schema of schemas) registry.register(type, schema);
  const { events } = await openSchemaCodec(registry);
  return (await events.versionsOf(type)).map(({ schema }) => schema);
}

describe.each(withVersions)('$title', ({ blocks }) => {
  const versions = matching(blocks, /^json avro v(\d+)$/);

  it('shows versions that are compatible, and what endpoints get of them', async () => {
    const schemas = await registered(versions.map(({ json }) => json as object));
    expect(schemas).toHaveLength(versions.length);
    for (const newer of schemas) for (const older of schemas) expect(faultTexts('x', newer, older)).toEqual([]);
    const written = new Map(matching(blocks, /^json data v(\d+)$/).map(({ numbers: [n], json }) => [n, json]));
    const read = matching(blocks, /^json data v(\d+) as v(\d+)$/);
    for (const { numbers, json } of read) {
      const [writer, reader] = numbers.map((number) => schemas[number - 1]);
      const encoded = writer?.encode(written.get(numbers[0]) ?? null);
      expect(encoded).toMatchObject({ ok: true });
      if (encoded?.ok !== true || reader === undefined) continue;
      expect(writer?.decodeAs(reader, encoded.bytes)).toEqual(json);
    }
    // Sections that show several versions show what becomes of data.
    if (versions.length > 1) expect(read.length).toBeGreaterThan(0);
  });

  it('shows what is refused with the reason that is given', () => {
    const older = versions[0]?.json as object;
    const refusals = blocks.filter(({ info }) => info === 'text refusal').map(({ text }) => text.trim());
    const refused = matching(blocks, /^json avro v\d+ refused$/).flatMap(({ json }) =>
      faultTexts('', { node: parseAvroSchema(json as object) }, { node: parseAvroSchema(older) }),
    );
    expect(refused.map((text, index) => text.includes(refusals[index] ?? 'not told'))).toEqual(
      refusals.map(() => true),
    );
  });
});

describe('the guide', () => {
  it('has examples of each way', () => {
    expect(withVersions).toHaveLength(7);
    expect(doc.match(/^```text refusal/gm)).toHaveLength(2);
  });

  it('shows the difference that the command shows', async () => {
    const [shown] = blocksOf(doc).filter(({ info }) => info === 'text task.updated 1 3');
    const lines: string[] = [];
    const folder = join(projectRoot(), 'schemas/events');
    await diffSchemas(folder, { type: 'task.updated', a: 1, b: 3 }, (line) => lines.push(line));
    expect(`${lines.join('\n')}\n`).toBe(shown?.text);
  });

  it('shows what may be said of a type', () => {
    const [meta] = blocksOf(doc).filter(({ info }) => info === 'json meta');
    const types = new Map(['task.updated', 'task.closed'].map((type) => [type, []]));
    const files = new Map([['task.updated.meta.json', meta?.text ?? '']]);
    expect(parseEventMeta(files, types).faults).toEqual([]);
  });

  it('names files and commands that there are', () => {
    const commands = Array.from(doc.matchAll(/schemas (apply|check|show|diff|\w+)\b/g), ([, name]) => name);
    expect(new Set(commands)).toEqual(new Set(['apply', 'check', 'diff']));
    for (const [path] of doc.matchAll(/(schemas|scripts)\/[\w./-]+\.(avsc|json|ts)\b/g)) {
      // What the steps make.
      if (path.endsWith('versions/task.updated/3.avsc')) continue;
      expect([path, existsSync(join(projectRoot(), path))]).toEqual([path, true]);
    }
  });
});
