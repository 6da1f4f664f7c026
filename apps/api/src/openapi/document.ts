import type { z } from 'zod';
import type { Scope } from '#libs/core';
import type { ProblemCode } from '../problem/app-error.js';
import type { DocumentedRoute } from './documented-routes.js';
import { exampleOf } from './example.js';
import { fieldsOf } from './fields.js';
import { JsonSchemas, type JsonSchema, type SchemaOptions } from './json-schema.js';
import type { Operation } from './operation.js';
import { plainRoutes, eventsRoute } from './plain-routes.js';
import { problemAnswers } from './problem-answers.js';
import { apiInfo, bearerText, pathParameters, tags } from './texts.js';

export interface OpenApiDocument {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, JsonSchema>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>>; readonly [part: string]: unknown };
  readonly [part: string]: unknown;
}

/** OpenAPI 3.1 of the whole API: what controllers document, and the routes that are none of theirs. */
export function openApiDocument(routes: readonly DocumentedRoute[], options: SchemaOptions = {}): OpenApiDocument {
  const parts = new DocumentParts(options);
  const paths: Record<string, Record<string, JsonSchema>> = {};
  const put = (path: string, method: string, operation: JsonSchema): void => {
    (paths[path] ??= {})[method] = operation;
  };
  for (const route of routes) put(route.path, route.method, parts.operation(route));
  put('/v1/events', 'post', parts.events());
  for (const { path, operation } of plainRoutes(parts.schemas)) put(path, 'get', operation);
  return {
    openapi: '3.1.1',
    info: apiInfo,
    servers: [{ url: 'http://127.0.0.1:8420', description: 'As `npm start` serves it.' }],
    security: [{ bearer: [] }],
    tags: tags.map(([name, description]) => ({ name, description })),
    paths: Object.fromEntries(Object.entries(paths).toSorted(([a], [b]) => (a < b ? -1 : 1))),
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', description: bearerText } },
      headers: { ...answerHeaders, ETag: etagHeader },
      responses: Object.fromEntries([...parts.responses].toSorted(([a], [b]) => (a < b ? -1 : 1))),
      schemas: parts.schemas.components,
    },
  };
}

const answerHeaders = {
  'RateLimit-Policy': {
    description: 'How many requests (`q`) this key may make in so many seconds (`w`); missing where there is no limit.',
    schema: { type: 'string', examples: ['"management";q=60000;w=60'] },
  },
  RateLimit: {
    description: 'How many are left (`r`), and in how many seconds (`t`) there are all again.',
    schema: { type: 'string', examples: ['"management";r=59998;t=42'] },
  },
  'X-Request-Id': {
    description: 'That of the request, if it had a fit one; log lines and problems name it too.',
    schema: { type: 'string', examples: ['req_019ab3f2c41e7c3f9d1f2a7c5b6e8d90'] },
  },
};

/** What every route below /v1 may refuse. */
const always: readonly ProblemCode[] = [
  'bad-request',
  'unauthorised',
  'key-revoked',
  'key-expired',
  'token-expired',
  'token-revoked',
  'forbidden',
  'request-timeout',
  'rate-limited',
  'headers-too-large',
  'internal',
  'shutting-down',
];
const ofEverybody: readonly ProblemCode[] = ['bad-request', 'internal'];
/** What every POST may refuse that takes an Idempotency-Key. */
const ofRepeats: readonly ProblemCode[] = ['invalid-parameter', 'request-in-progress', 'idempotency-key-reused'];
const ofBodies: readonly ProblemCode[] = ['malformed-json', 'too-large', 'unsupported-content-type', 'invalid-body'];

class DocumentParts {
  readonly schemas: JsonSchemas;
  readonly responses = new Map<string, JsonSchema>();

  constructor(options: SchemaOptions) {
    this.schemas = new JsonSchemas(options);
  }

  operation({ method, path, status, operation, needs }: DocumentedRoute): JsonSchema {
    const { id, summary, description, query, body, ifMatch = false, open = false, problems = [] } = operation;
    const fields = method === 'get' && operation.answer !== undefined ? fieldsOf(operation.answer) : null;
    const ids = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? '');
    const parameters = [
      ...ids.map((name) => ({
        name,
        in: 'path',
        description: pathParameters[name] ?? '',
        required: true,
        schema: { type: 'string' },
      })),
      ...(query === undefined ? [] : this.#queryParameters(query)),
      ...(fields === null ? [] : [fieldsParameter(fields)]),
      ...(ifMatch ? [ifMatchParameter] : []),
      ...(method === 'post' && !open ? [idempotencyKey] : []),
    ];
    const refused: ProblemCode[] = [
      ...(open ? ofEverybody : always),
      'database-unavailable',
      ...(body === undefined ? [] : ofBodies),
      ...(query !== undefined || fields !== null || ifMatch ? ['invalid-parameter' as const] : []),
      ...(ifMatch ? ['precondition-failed' as const] : []),
      ...(ids.length > 0 ? ['not-found' as const] : []),
      ...(method === 'post' && !open ? ofRepeats : []),
      ...problems,
    ];
    return {
      operationId: id,
      summary,
      ...described(description, needs),
      ...(operation.deprecated === true ? { deprecated: true } : {}),
      ...(open ? { security: [] } : {}),
      tags: [operation.tag ?? path.split('/')[2] ?? ''],
      ...(parameters.length === 0 ? {} : { parameters }),
      ...(body === undefined ? {} : { requestBody: this.#requestBody(method, body, operation.example) }),
      responses: { ...this.#successes(status, operation), ...this.#refusals(refused) },
    };
  }

  events(): JsonSchema {
    const { problems, ...operation } = eventsRoute(this.schemas, headersOfAnswers);
    const { responses, ...rest } = operation;
    return { ...rest, responses: { ...responses, ...this.#refusals([...always, ...problems]) } };
  }

  #queryParameters(query: z.ZodObject): JsonSchema[] {
    return Object.entries(query.shape as Record<string, z.ZodType>).map(([name, field]) => {
      const { description, examples, ...schema } = this.schemas.parameter(field);
      return {
        name,
        in: 'query',
        ...(description === undefined ? {} : { description }),
        required: !field.safeParse(undefined).success,
        schema,
        ...(Array.isArray(examples) ? { example: examples[0] as unknown } : {}),
      };
    });
  }

  #requestBody(method: string, body: z.ZodType, given: unknown): JsonSchema {
    const schema = this.schemas.input(body);
    const example = given ?? exampleOf(schema, this.schemas.components);
    const types = method === 'patch' ? ['application/merge-patch+json', 'application/json'] : ['application/json'];
    return {
      required: !body.safeParse(undefined).success,
      content: Object.fromEntries(types.map((type) => [type, { schema, example }])),
    };
  }

  #successes(status: number, { answer, etag, others = {} }: Operation): Record<string, JsonSchema> {
    const response = (description: string, of: z.ZodType | undefined): JsonSchema => ({
      description,
      headers:
        etag === undefined ? headersOfAnswers : { ...headersOfAnswers, ETag: { $ref: '#/components/headers/ETag' } },
      ...(of === undefined ? {} : { content: { 'application/json': this.#content(of) } }),
    });
    return {
      ...Object.fromEntries(Object.entries(others).map(([code, one]) => [code, response(one.description, one.answer)])),
      [status]: response(answer === undefined ? 'It is done.' : (statusTexts[status] ?? ''), answer),
    };
  }

  #content(answer: z.ZodType): JsonSchema {
    const schema = this.schemas.output(answer);
    return { schema, example: exampleOf(schema, this.schemas.components) };
  }

  #refusals(codes: readonly ProblemCode[]): Record<string, JsonSchema> {
    return Object.fromEntries(
      Object.entries(problemAnswers(codes, this.schemas)).map(([status, { name, response }]) => {
        this.responses.set(name, { ...response, headers: headersOfAnswers });
        return [status, { $ref: `#/components/responses/${name}` }];
      }),
    );
  }
}

const headersOfAnswers = Object.fromEntries(
  Object.keys(answerHeaders).map((name) => [name, { $ref: `#/components/headers/${name}` }]),
);

const etagHeader = {
  description: 'Names what it is now. Send it as `If-Match` to change just that.',
  schema: { type: 'string', examples: ['"3"'] },
};

const ifMatchParameter: JsonSchema = {
  name: 'If-Match',
  in: 'header',
  description:
    'The `ETag` of what the caller has seen, or several, or `*`: if it is another one now, nothing is changed.',
  required: false,
  schema: { type: 'string' },
  example: '"3"',
};
/** The scope stands in the text, for people, and in a field of its own, for programs. */
function described(text: string | undefined, needs: Scope | undefined): JsonSchema {
  const sentences = [...(text === undefined ? [] : [text]), ...(needs === undefined ? [] : [`Needs \`${needs}\`.`])];
  return {
    ...(sentences.length === 0 ? {} : { description: sentences.join(' ') }),
    ...(needs === undefined ? {} : { 'x-scope': needs }),
  };
}

const statusTexts: Readonly<Record<number, string>> = {
  200: 'Done.',
  201: 'It was made.',
  202: 'It was begun.',
};

const idempotencyKey: JsonSchema = {
  name: 'Idempotency-Key',
  in: 'header',
  description: 'Chosen by you: for a day, the same request with it is done once and gets the same answer.',
  required: false,
  schema: { type: 'string', minLength: 1, maxLength: 255, pattern: '^[!-~]+$' },
  example: '5f0c1b52-7a0e-4c7b-9d1c-0f5a7d1c9e11',
};

const fieldsParameter = (fields: readonly string[]): JsonSchema => ({
  name: 'fields',
  in: 'query',
  description:
    'Only these fields, of each entry of a list: names with commas between them. The others are missing then.',
  required: false,
  style: 'form',
  explode: false,
  schema: { type: 'array', minItems: 1, items: { type: 'string', enum: fields } },
  example: fields.slice(0, 2),
});
