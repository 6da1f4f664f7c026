/** What of an OpenAPI document would break clients of an earlier one. */
import { schemaBreaks, type Schema } from './schema-compatibility.js';

export interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas?: Readonly<Record<string, Schema>>;
    readonly responses?: Readonly<Record<string, Answer>>;
  };
}
interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly schema: Schema;
}
type Content = Readonly<Record<string, { readonly schema?: Schema }>>;
interface Answer {
  readonly $ref?: string;
  readonly content?: Content;
}
interface Operation {
  readonly operationId?: string;
  readonly deprecated?: boolean;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required?: boolean; readonly content: Content };
  readonly responses: Readonly<Record<string, Answer>>;
}

/**
 * One line for each break; none: every client goes on. Requests may become more general only, answers more special only,
 * beside new fields, new values of enumerations and new refusals, which clients have to bear. What was deprecated may go.
 */
export function breaks(before: OpenApi, after: OpenApi): string[] {
  return Object.entries(before.paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, operation]) => {
      const what = `${method.toUpperCase()} ${path}`;
      const now = after.paths[path]?.[method];
      if (now === undefined) return operation.deprecated === true ? [] : [`${what} is gone, and was not deprecated`];
      return new Comparison(before, after).of(operation, now).map((fault) => `${what}: ${fault}`);
    }),
  );
}

class Comparison {
  constructor(
    private readonly before: OpenApi,
    private readonly after: OpenApi,
  ) {}

  of(before: Operation, after: Operation): string[] {
    const renamed =
      before.operationId === after.operationId
        ? []
        : [`its operationId ${before.operationId} is ${after.operationId} now`];
    return [
      ...renamed,
      ...this.#parameters(before, after),
      ...this.#body(before, after),
      ...this.#answers(before, after),
    ];
  }

  #parameters({ parameters: were = [] }: Operation, { parameters: are = [] }: Operation): string[] {
    const same = (a: Parameter) => (b: Parameter) => a.name === b.name && a.in === b.in;
    const gone = were.flatMap((one) => {
      const now = are.find(same(one));
      if (now === undefined) return [`the parameter ${one.name} is gone`];
      const stricter =
        now.required === true && one.required !== true ? [`the parameter ${one.name} is required now`] : [];
      return [...stricter, ...this.#schemas(one.schema, now.schema, 'request', `the parameter ${one.name}`)];
    });
    const added = are.filter((one) => one.required === true && !were.some(same(one)));
    return [...gone, ...added.map(({ name }) => `the parameter ${name} is new and required`)];
  }

  #body({ requestBody: was }: Operation, { requestBody: is }: Operation): string[] {
    if (is === undefined) return was === undefined ? [] : ['it takes no body any more'];
    const stricter = is.required === true && was?.required !== true ? ['its body is required now'] : [];
    return [...stricter, ...this.#contents(was?.content ?? {}, is.content, 'request', 'body')];
  }

  #answers({ responses: were }: Operation, { responses: are }: Operation): string[] {
    return Object.entries(were)
      .filter(([status]) => status.startsWith('2'))
      .flatMap(([status, answer]) => {
        const now = are[status];
        if (now === undefined) return [`it does not answer ${status} any more`];
        const [was, is] = [resolved(answer, this.before), resolved(now, this.after)];
        return this.#contents(was.content ?? {}, is.content ?? {}, 'answer', `answer ${status}`);
      });
  }

  #contents(were: Content, are: Content, direction: 'request' | 'answer', what: string): string[] {
    return Object.entries(were).flatMap(([type, { schema = {} }]) => {
      const now = are[type];
      if (now === undefined) return [`the ${what} is not ${type} any more`];
      return this.#schemas(schema, now.schema ?? {}, direction, what);
    });
  }

  #schemas(before: Schema, after: Schema, direction: 'request' | 'answer', what: string): string[] {
    const [was, is] = [this.before.components.schemas ?? {}, this.after.components.schemas ?? {}];
    return schemaBreaks({ schema: before, schemas: was }, { schema: after, schemas: is }, direction).map(
      ({ path, fault }) => `${what}${path === '' ? '' : ` ${path}`}: ${fault}`,
    );
  }
}

const resolved = (answer: Answer, { components }: OpenApi): Answer =>
  answer.$ref === undefined ? answer : (components.responses?.[answer.$ref.split('/').at(-1) ?? ''] ?? {});
