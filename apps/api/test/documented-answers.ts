import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { default as addFormats } from 'ajv-formats';
import { apiDocument } from '../src/index.js';

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: unknown;
}

/** Holds every answer of the api to the document: its status, its media type, and its fields, none beside those named. */
export class DocumentedAnswers {
  readonly #document = apiDocument({ strict: true });
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true });
  readonly #validators = new Map<string, ValidateFunction>();
  readonly #paths = Object.keys(this.#document.paths)
    // `/v1/event-types/openapi.json` before `/v1/event-types/{type}`.
    .toSorted((a, b) => a.split('{').length - b.split('{').length)
    .map((path) => ({ path, pattern: new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`) }));

  constructor() {
    addFormats.default(this.#ajv);
    this.#ajv.addSchema(this.#document, 'api');
  }

  /** @throws Error that says what the document does not know; an answer to a route that there is not is a problem */
  check(method: string, url: string, { status, type, body }: Answer): void {
    const [path = ''] = url.split('?');
    const what = `${method} ${path} → ${status}`;
    const known = this.#paths.find(({ pattern }) => pattern.test(path))?.path;
    const operation = known === undefined ? undefined : this.#document.paths[known]?.[method.toLowerCase()];
    if (known === undefined || operation === undefined) {
      if ([401, 404, 405].includes(status)) return;
      throw new Error(`${what}: the route is not in the OpenAPI document`);
    }
    const place = ['paths', known, method.toLowerCase(), 'responses', String(status)];
    const responses = operation['responses'] as Record<string, { $ref?: string; content?: Record<string, object> }>;
    const given = responses[String(status)];
    if (given === undefined)
      throw new Error(`${what}: the status is not in the OpenAPI document: ${JSON.stringify(body)}`);
    const at = given.$ref === undefined ? place : given.$ref.slice(2).split('/');
    const shared = this.#document.components['responses'] as typeof responses;
    const { content = {} } = given.$ref === undefined ? given : (shared[at.at(-1) ?? ''] ?? {});
    const [mediaType = ''] = type.split(';');
    if (Object.keys(content).length === 0) {
      if (type !== '') throw new Error(`${what}: a body is not in the OpenAPI document`);
      return;
    }
    if (content[mediaType] === undefined) throw new Error(`${what}: ${mediaType} is not in the OpenAPI document`);
    const validate = this.#validator([...at, 'content', mediaType, 'schema']);
    validate(body);
    // With `fields` the others are missing.
    const isSparse = url.includes('fields=') && status === 200;
    const faults = (validate.errors ?? []).filter(({ keyword }) => !(isSparse && keyword === 'required'));
    if (faults.length > 0)
      throw new Error(`${what} does not fit the OpenAPI document: ${this.#ajv.errorsText(faults)}`);
  }

  #validator(place: readonly string[]): ValidateFunction {
    const pointer = place.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/');
    const known = this.#validators.get(pointer) ?? this.#ajv.compile({ $ref: `api#/${pointer}` });
    this.#validators.set(pointer, known);
    return known;
  }
}
