import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { breaks, type OpenApi } from './compatibility.js';

type Loose = Record<string, unknown>;
const base = (): Loose => ({
  paths: {
    '/things': {
      post: {
        operationId: 'createThing',
        parameters: [{ name: 'how', in: 'query', required: false, schema: { type: 'string', enum: ['a', 'b'] } }],
        requestBody: {
          required: false,
          content: {
            'application/json': {
              schema: {
                type: 'object',
                properties: {
                  name: { type: 'string', maxLength: 10 },
                  size: { anyOf: [{ type: 'number' }, { type: 'null' }] },
                  tags: { type: 'array', items: { type: 'string' } },
                },
                required: ['name'],
                additionalProperties: false,
              },
            },
          },
        },
        responses: {
          201: { content: { 'application/json': { schema: { $ref: '#/components/schemas/Thing' } } } },
          404: { $ref: '#/components/responses/404.not-found' },
        },
      },
    },
  },
  components: {
    schemas: {
      Thing: {
        type: 'object',
        properties: {
          id: { type: 'string' },
          state: { type: 'string', enum: ['on', 'off'] },
          parts: {
            type: 'array',
            items: { type: 'object', properties: { weight: { type: 'integer' } }, required: ['weight'] },
          },
        },
        required: ['id', 'state'],
      },
    },
    responses: { '404.not-found': { content: { 'application/problem+json': { schema: { type: 'object' } } } } },
  },
});

/** The base with the value at a path replaced; undefined takes it away. */
function changed(path: string, value: unknown): OpenApi {
  const document = base();
  const steps = path.split(' ');
  const last = steps.pop() ?? '';
  const place = steps.reduce((at, step) => at[step] as Loose, document);
  if (value === undefined) delete place[last];
  else place[last] = value;
  return document as unknown as OpenApi;
}
const before = base() as unknown as OpenApi;
const post = 'paths /things post';
const body = `${post} requestBody content application/json schema`;
const thing = 'components schemas Thing';

describe('changes that break clients', () => {
  it.each([
    ['a route that is gone', 'paths /things', undefined, 'POST /things is gone, and was not deprecated'],
    ['another operationId', `${post} operationId`, 'make', 'its operationId createThing is make now'],
    ['a parameter that is gone', `${post} parameters`, [], 'the parameter how is gone'],
    ['a parameter that is required', `${post} parameters 0 required`, true, 'the parameter how is required now'],
    ['a value of a parameter that is gone', `${post} parameters 0 schema enum`, ['a'], 'the value "b" is gone'],
    [
      'a new required parameter',
      `${post} parameters 1`,
      { name: 'who', in: 'query', required: true, schema: {} },
      'the parameter who is new and required',
    ],
    ['a body that is required', `${post} requestBody required`, true, 'its body is required now'],
    [
      'a body of another type',
      `${post} requestBody content`,
      { 'text/xml': {} },
      'the body is not application/json any more',
    ],
    ['no body', `${post} requestBody`, undefined, 'it takes no body any more'],
    ['a new required field', `${body} required`, ['name', 'size'], 'body: size is required now'],
    ['a field of a request that is gone', `${body} properties tags`, undefined, 'body tags: it is gone'],
    ['a tighter bound', `${body} properties name maxLength`, 5, 'body name: maxLength is 5 now, and was 10'],
    ['a new bound', `${body} properties tags minItems`, 1, 'body tags: minItems is 1 now, and was not there'],
    ['a pattern', `${body} properties name pattern`, '^a', 'body name: its pattern is another one: ^a'],
    ['a closed list', `${body} properties name enum`, ['a'], 'body name: only ["a"] are taken now'],
    ['null that is not taken', `${body} properties size`, { type: 'number' }, 'body size: null is not taken any more'],
    ['a narrower type', `${body} properties size anyOf 0 type`, 'integer', 'body size: number is not taken any more'],
    [
      'a narrower type of entries',
      `${body} properties tags items type`,
      'integer',
      'body tags[]: string is not taken any more',
    ],
    ['a status that is gone', `${post} responses`, { 200: {} }, 'it does not answer 201 any more'],
    [
      'an answer of another type',
      `${post} responses 201 content`,
      { 'text/plain': {} },
      'is not application/json any more',
    ],
    ['a field of an answer that is gone', `${thing} properties id`, undefined, 'answer 201 id: it is gone'],
    ['a field of an answer that may be missing', `${thing} required`, ['id'], 'answer 201: state may be missing now'],
    [
      'an answer that may be null',
      `${thing} properties id type`,
      ['string', 'null'],
      'answer 201 id: it may be null now',
    ],
    [
      'an answer of a wider type',
      `${thing} properties parts items properties weight type`,
      'number',
      'parts[].weight: it may be number now',
    ],
    [
      'a value of an answer that is gone',
      `${thing} properties state enum`,
      ['on'],
      'answer 201 state: the value "off" is gone',
    ],
    ['an answer that may be anything', `${thing} properties id`, {}, 'answer 201 id: it may be anything now'],
  ])('%s', (_what, path, value, fault) => {
    const found = breaks(before, changed(path, value));
    expect(found).toEqual([expect.stringContaining(fault)]);
    expect(found[0]).toMatch(/^POST \/things/);
  });
});

describe('changes that clients bear', () => {
  it.each([
    ['another route', 'paths /others', {}],
    ['a new parameter', `${post} parameters 1`, { name: 'who', in: 'query', required: false, schema: {} }],
    ['a new field of a request', `${body} properties more`, { type: 'string' }],
    ['a field that may be left out', `${body} required`, []],
    ['a looser bound', `${body} properties name maxLength`, 20],
    ['a wider type', `${body} properties name type`, ['string', 'null']],
    ['one more branch', `${body} properties size anyOf 2`, { type: 'string' }],
    ['a new field of an answer', `${thing} properties more`, { type: 'string' }],
    ['a new value of an answer', `${thing} properties state enum`, ['on', 'off', 'broken']],
    ['a field that is always there', `${thing} required`, ['id', 'state', 'parts']],
    ['a refusal that is gone', `${post} responses 404`, undefined],
    ['a new refusal', `${post} responses 409`, {}],
    ['other words', `${post} description`, 'Makes a thing.'],
  ])('%s', (_what, path, value) => {
    expect(breaks(before, changed(path, value))).toEqual([]);
  });

  it('the end of what was deprecated', () => {
    const deprecated = changed(`${post} deprecated`, true);
    expect(breaks(deprecated, changed('paths /things', undefined))).toEqual([]);
  });
});

describe('the document of this API', () => {
  const text = readFileSync(join(import.meta.dirname, '../../schemas/openapi/posthorn.json'), 'utf8');
  const document = JSON.parse(text) as OpenApi;

  it('does not break itself', () => {
    expect(breaks(document, document)).toEqual([]);
  });

  it('is broken by whatever field of an answer is taken away, wherever it stands', () => {
    const fields = Object.entries(document.components.schemas ?? {}).flatMap(([name, { properties = {} }]) =>
      name === 'Problem' ? [] : Object.keys(properties).map((field) => [name, field] as const),
    );
    const gone = (name: string, field: string): OpenApi => {
      const copy = JSON.parse(text) as { components: { schemas: Record<string, { properties: Loose }> } };
      delete copy.components.schemas[name]?.properties[field];
      return copy as unknown as OpenApi;
    };
    fc.assert(
      fc.property(fc.constantFrom(...fields), ([name, field]) => {
        expect(breaks(document, gone(name, field))).not.toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});
