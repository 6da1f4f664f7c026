import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import spectral, { type RulesetDefinition } from '@stoplight/spectral-core';
import { oas } from '@stoplight/spectral-rulesets';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { default as addFormats } from 'ajv-formats';
import { beforeAll, describe, expect, it } from 'vitest';
import { apiDocument } from '../index.js';
import { problems } from '../problem/app-error.js';
import type { JsonSchema } from './json-schema.js';

const document = apiDocument();
type Media = Readonly<Record<string, { readonly schema: JsonSchema; readonly example?: unknown }>>;
interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly { readonly $ref?: string; readonly name?: string }[];
  readonly requestBody?: { readonly content: Media };
  readonly responses: Readonly<Record<string, { readonly $ref?: string; readonly content?: Media }>>;
}
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({
    path,
    method,
    operation: operation as unknown as Operation,
  })),
);
const { responses, parameters } = document.components as unknown as {
  responses: Record<string, { content: Media }>;
  parameters: Record<string, { name: string }>;
};
const takes = ({ operation }: { readonly operation: Operation }, header: string): boolean =>
  (operation.parameters ?? []).some(
    ({ $ref = '', name = parameters[$ref.split('/').at(-1) ?? '']?.name }) => name === header,
  );

describe('the OpenAPI document', () => {
  it('is valid OpenAPI 3.1', async () => {
    const { valid, errors } = await new Validator().validate(
      JSON.parse(JSON.stringify(document)) as Record<string, unknown>,
    );
    expect(errors ?? []).toEqual([]);
    expect(valid).toBe(true);
  });

  it('passes the rules of spectral, but those that ask for what would say nothing', async () => {
    const linter = new spectral.Spectral();
    const rules = {
      // Who answers for an installation is not known here.
      'info-contact': 'off',
      'contact-properties': 'off',
      // 3.1 has the identifier instead.
      'license-url': 'off',
      // A summary is enough where there is no more to say.
      'operation-description': 'off',
      // In the order in which one needs them.
      'openapi-tags-alphabetical': 'off',
    } as const;
    linter.setRuleset({ extends: [[oas as RulesetDefinition, 'all']], rules });
    const found = await linter.run(structuredClone(document) as Record<string, unknown>);
    expect(found.map(({ code, path, message }) => `${code} ${path.join('/')}: ${message}`)).toEqual([]);
  }, 60_000);

  it('offers Idempotency-Key with every POST but those that need none, and If-Match with every update', () => {
    const without = (of: string, header: string): string[] =>
      operations.filter((one) => one.method === of && !takes(one, header)).map(({ path }) => path);
    // An event is known by its source and id; a callback says the same each time.
    expect(without('post', 'Idempotency-Key')).toEqual(['/v1/events', '/verifications/{token}']);
    expect(without('patch', 'If-Match')).toEqual([]);
  });

  it('names each operation once', () => {
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(ids.filter((id, at) => ids.indexOf(id) !== at)).toEqual([]);
  });

  it('has every code of a problem as the answer to something, with its status', () => {
    const used = new Set(
      Object.keys(responses).flatMap((name) => {
        const [status, ...codes] = name.split('.');
        return codes.map((code) => `${status} ${code}`);
      }),
    );
    const ofNoRoute = ['unknown-route', 'method-not-allowed'];
    const closed = Object.entries(problems).flatMap(([code, [status]]) =>
      ofNoRoute.includes(code) ? [] : [`${status} ${code}`],
    );
    expect([...used].toSorted()).toEqual(closed.toSorted());
  });

  it('says of codes what docs/rest-api.md says', () => {
    const text = readFileSync(join(import.meta.dirname, '../../../../docs/rest-api.md'), 'utf8');
    const rows = [...text.matchAll(/^\| (\d{3}) +\| (.*) \|$/gm)];
    const told = rows.flatMap(([, status = '', codes = '']) =>
      [...codes.matchAll(/`([a-z-]+)`/g)].map(([, code]) => `${status} ${code}`),
    );
    const closed = Object.entries(problems).map(([code, [status]]) => `${status} ${code}`);
    expect(told.toSorted()).toEqual(closed.toSorted());
  });

  describe('gives examples', () => {
    const ajv = new Ajv2020({ strict: false, allErrors: true });
    beforeAll(() => {
      addFormats.default(ajv);
      ajv.addSchema(document, 'api');
    });
    const fault = (schema: JsonSchema, example: unknown): string => {
      const refs = JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"api#/')) as object;
      return ajv.validate(refs, example) ? '' : ajv.errorsText();
    };
    const bodies = operations.flatMap(({ operation: { operationId, requestBody } }) =>
      Object.entries(requestBody?.content ?? {}).map(([type, media]) => ({ what: `${operationId} ${type}`, ...media })),
    );
    const answers = operations.flatMap(({ operation: { operationId, responses: of } }) =>
      Object.entries(of).flatMap(([status, { content = {} }]) =>
        Object.entries(content).map(([type, media]) => ({ what: `${operationId} ${status} ${type}`, ...media })),
      ),
    );

    it.each([...bodies, ...answers].filter(({ example }) => example !== undefined))('$what fits', (media) => {
      expect(fault(media.schema, media.example)).toBe('');
    });

    it('of every JSON', () => {
      const without = [...bodies, ...answers].filter(({ what, example }) => example === undefined && /json/.test(what));
      expect(without.map(({ what }) => what)).toEqual([]);
    });
  });
});
