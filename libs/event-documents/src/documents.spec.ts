import { readFileSync } from 'node:fs';
import { Parser } from '@asyncapi/parser';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { describe, expect, it } from 'vitest';
import type { JsonValue } from '#libs/core';
import { asyncApiDocument } from './asyncapi.js';
import type { DocumentedType, JsonObject } from './documented-type.js';
import { openApiDocument } from './openapi.js';

const person = (...names: string[]): JsonObject => ({
  type: 'object',
  required: names,
  properties: Object.fromEntries(names.map((name) => [name, { type: 'string' }])),
});
const shape = (fields: JsonObject, defs: JsonObject = {}): JsonObject => ({
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $id: 'urn:somewhere',
  type: 'object',
  required: Object.keys(fields),
  properties: fields,
  $defs: defs,
});
const people = { by: { $ref: '#/$defs/a.Person' } };

/** Two types, three versions, one deprecated; `a.Person` is the same in two of them, and a recursive one. */
const types: readonly DocumentedType[] = [
  {
    type: 'task.completed',
    description: 'A task was completed.',
    deprecated: { since: '2026-09-01', successor: 'task.updated' },
    versions: [{ version: 1, shape: shape(people, { 'a.Person': person('id', 'name') }), examples: [by('p1', 'Ada')] }],
  },
  {
    type: 'task.updated',
    description: null,
    deprecated: null,
    versions: [
      { version: 1, shape: shape(people, { 'a.Person': person('id') }), examples: [{ by: { id: 'p1' } }] },
      {
        version: 3,
        shape: {
          ...shape(people, { 'a.Person': person('id', 'name'), 'a.Tree': tree('#/$defs/a.Tree') }),
          properties: { ...people, tree: { $ref: '#/$defs/a.Tree' }, before: { $ref: '#' } },
        },
        examples: [{ ...by('p1', 'Ada'), tree: { below: [{ below: [] }] } }, by('p2', 'Grace')],
      },
    ],
  },
];
function by(id: string, name: string): JsonObject {
  return { by: { id, name } };
}
function tree(self: string): JsonObject {
  return { type: 'object', properties: { below: { type: 'array', items: { $ref: self } } } };
}

const info = { title: 'Example', version: '1' };
const asyncApi = asyncApiDocument(types, info);
const openApi = openApiDocument(types, info);
const schemasOf = (document: JsonObject): JsonObject => (document as Tree)?.['components']?.['schemas'] as JsonObject;
// Tests look deep into documents; what is not there is undefined, and they fail.
type Tree = { readonly [name: string]: Tree } | undefined;

function onDisk(name: string): JsonObject {
  const file = new URL(`../../../docs/events/${name}`, import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')) as JsonObject;
}

/** What is wrong with an AsyncAPI document, by the official parser; its hints and infos do not count. */
async function asyncApiFaults(document: JsonObject): Promise<string[]> {
  const diagnostics = await new Parser().validate(JSON.stringify(document));
  return diagnostics
    .filter(({ severity }) => severity <= 1)
    .map(({ message, path }) => `${path.join('/')}: ${message}`);
}

/** The same of an OpenAPI document, by the JSON Schema of the OpenAPI Initiative, and whether its references lead somewhere. */
async function openApiFaults(document: JsonObject): Promise<string[]> {
  const validator = new Validator();
  const { valid, errors } = await validator.validate(structuredClone(document));
  if (!valid) return [JSON.stringify(errors)];
  try {
    validator.resolveRefs();
    return [];
  } catch (error) {
    return [String(error)];
  }
}

interface Example {
  /** JSON pointer of the schema that it must fit. */
  readonly schema: string;
  readonly value: JsonValue;
}

/** Of messages (AsyncAPI) and of request bodies (OpenAPI). */
function examplesOf(document: JsonObject): Example[] {
  const { components, webhooks = {} } = document as unknown as {
    components: { messages?: Record<string, { examples?: { payload: JsonValue }[] }> };
    webhooks?: Record<string, { post: { requestBody: { content: Record<string, Content> } } }>;
  };
  const messages = Object.entries(components.messages ?? {}).flatMap(([key, { examples = [] }]) =>
    examples.map(({ payload }) => ({ schema: `#/components/messages/${key}/payload`, value: payload })),
  );
  const bodies = Object.entries(webhooks).flatMap(([key, { post }]) =>
    Object.entries(post.requestBody.content).flatMap(([mediaType, { examples = {} }]) => {
      const schema = `#/webhooks/${key}/post/requestBody/content/${mediaType.replaceAll('/', '~1')}/schema`;
      return Object.values(examples).map(({ value }) => ({ schema, value }));
    }),
  );
  return [...messages, ...bodies];
}
interface Content {
  readonly examples?: Readonly<Record<string, { readonly value: JsonValue }>>;
}

function fits(document: JsonObject, { schema, value }: Example): boolean {
  const $id = 'https://posthorn.example/';
  const ajv = addFormats.default(new Ajv2020({ strict: false, schemas: [{ ...document, $id }] }));
  return ajv.validate({ $ref: `${$id}${schema}` }, value);
}

describe('the AsyncAPI document', () => {
  it.each([
    ['is', asyncApi],
    ['that is generated from schemas/events is', onDisk('asyncapi.json')],
  ])('%s one by the official parser', async (_which, document) => {
    expect(await asyncApiFaults(document)).toEqual([]);
  });

  it.each([
    ['a message that is not there', '#/components/messages/task.updated-v3', '#/components/messages/task.updated-v2'],
    ['an operation that neither sends nor receives', '"send"', '"posts"'],
    ['a schema that is none', '"type":"object"', '"type":"thing"'],
  ])('is refused there with %s', async (_what, right, wrong) => {
    const text = JSON.stringify(asyncApi);
    expect(text).toContain(right);
    expect(await asyncApiFaults(JSON.parse(text.replace(right, wrong)) as JsonObject)).not.toEqual([]);
  });

  it('has an operation for each type and a message for each version, newest first', () => {
    const { operations } = asyncApi as unknown as {
      operations: Record<
        string,
        { action: string; messages: { $ref: string }[]; tags?: object[]; description: string }
      >;
    };
    expect(Object.keys(operations)).toEqual(['task.completed', 'task.updated']);
    expect(operations['task.updated']?.messages).toEqual([
      { $ref: '#/channels/endpoint/messages/task.updated-v3' },
      { $ref: '#/channels/endpoint/messages/task.updated-v1' },
    ]);
    expect(operations['task.updated']?.description).toContain('version 1: `task.updated-v1`');
    expect(operations['task.updated']?.tags).toBeUndefined();
    expect(operations['task.completed']?.tags).toEqual([{ name: 'deprecated' }]);
    expect(operations['task.completed']?.description).toBe(
      'A task was completed.\n\nDeprecated since 2026-09-01. Its successor is `task.updated`.',
    );
  });
});

describe('the OpenAPI document', () => {
  it.each([
    ['is', openApi],
    ['that is generated from schemas/events is', onDisk('openapi.json')],
  ])('%s one by the schema of the OpenAPI Initiative', async (_which, document) => {
    expect(await openApiFaults(document)).toEqual([]);
  });

  it.each([
    ['a reference that leads nowhere', '#/components/schemas/task.updated-v3', '#/components/schemas/task.updated-v2'],
    ['a parameter without a place', '"in":"header",', ''],
    ['an answer that is none', '"429":', '"Later":'],
    ['a schema that is none', '"schema":{"type":"string"}', '"schema":"text"'],
  ])('is refused there with %s', async (_what, right, wrong) => {
    const text = JSON.stringify(openApi);
    expect(text).toContain(right);
    expect(await openApiFaults(JSON.parse(text.replaceAll(right, wrong)) as JsonObject)).not.toEqual([]);
  });

  it('has a webhook for each type, deprecated ones marked, with signature and answers', () => {
    const { webhooks } = openApi as unknown as { webhooks: Record<string, { post: Record<string, unknown> }> };
    expect(Object.keys(webhooks)).toEqual(['task.completed', 'task.updated', 'batch-of-events']);
    expect(webhooks['task.completed']?.post).toMatchObject({ deprecated: true });
    expect(webhooks['task.updated']?.post).not.toHaveProperty('deprecated');
    expect(webhooks['task.updated']?.post['parameters']).toEqual(
      expect.arrayContaining(
        ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => ({
          $ref: `#/components/parameters/${name}`,
        })),
      ),
    );
    expect(Object.keys(webhooks['task.updated']?.post['responses'] as object).toSorted()).toEqual(
      ['2XX', '410', '429', '503', 'default'].toSorted(),
    );
  });
});

describe('examples', () => {
  it.each([
    ['an AsyncAPI document', asyncApi, 4],
    ['an OpenAPI document', openApi, 6],
    ['the one on disk', onDisk('asyncapi.json'), 9],
    ['the one on disk', onDisk('openapi.json'), 18],
  ])('of %s fit their schemas', (_what, document, count) => {
    const examples = examplesOf(document);
    expect(examples.length).toBeGreaterThanOrEqual(count);
    expect(examples.filter((example) => !fits(document, example))).toEqual([]);
  });

  it('of another version, type or form do not', () => {
    const [first] = examplesOf(openApi).filter(({ schema }) => schema.includes('task.updated')) as [Example];
    const value = first.value as JsonObject;
    expect(fits(openApi, first)).toBe(true);
    for (const change of [{ data: { by: { id: 'p1' } } }, { type: 'task.completed' }, { source: '' }, { data: null }])
      expect([change, fits(openApi, { ...first, value: { ...value, ...change } })]).toEqual([change, false]);
  });
});

describe('schemas of both', () => {
  it('hold a shared definition once, and another one of the same name apart', () => {
    const schemas = schemasOf(asyncApi);
    const shown = Object.keys(schemas).filter((key) => key !== 'cloud-event');
    expect(shown.toSorted()).toEqual(
      [
        'a.Person',
        'a.Person-of-task.updated-v1',
        'a.Tree',
        'task.completed-v1',
        'task.updated-v1',
        'task.updated-v3',
      ].toSorted(),
    );
    expect(schemas).toMatchObject({
      'a.Person': person('id', 'name'),
      'a.Person-of-task.updated-v1': person('id'),
      'a.Tree': tree('#/components/schemas/a.Tree'),
      'task.completed-v1': { deprecated: true },
      'task.updated-v1': { properties: { by: { $ref: '#/components/schemas/a.Person-of-task.updated-v1' } } },
      'task.updated-v3': { properties: { before: { $ref: '#/components/schemas/task.updated-v3' } } },
    });
    expect(JSON.stringify(schemas)).not.toContain('$defs');
    expect(schemasOf(openApi)).toMatchObject(schemas);
  });

  it('are not made with a reference that leads nowhere', () => {
    const broken = { ...types[0]!, versions: [{ version: 1, shape: shape(people), examples: [{}] }] };
    expect(() => openApiDocument([broken], info)).toThrow('task.completed-v1 refers to #/$defs/a.Person');
  });
});
