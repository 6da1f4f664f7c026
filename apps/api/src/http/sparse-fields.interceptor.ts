import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { map, type Observable } from 'rxjs';
import { fieldsOf } from '../openapi/fields.js';
import { operationOf } from '../openapi/operation.js';
import { AppError } from '../problem/app-error.js';

type Fields = Readonly<Record<string, unknown>>;

/**
 * `fields=id,url` on every GET: only these of the answer, or of each entry of a list. Which there are, the route's documented
 * answer says. The parameter is taken out before the handler looks at the query.
 */
@Injectable()
export class SparseFields implements NestInterceptor {
  readonly #known = new WeakMap<object, ReadonlySet<string> | null>();

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const query = request.query as Record<string, unknown>;
    const known = request.method === 'GET' ? this.#fieldsOf(context.getHandler()) : null;
    if (known === null || !('fields' in query)) return next.handle();
    const wanted = wantedOf(query['fields'], known);
    delete query['fields'];
    return next.handle().pipe(map((answer: Fields) => chosen(answer, wanted)));
  }

  #fieldsOf(handler: object): ReadonlySet<string> | null {
    const known = this.#known.get(handler);
    if (known !== undefined) return known;
    const answer = operationOf(handler)?.answer;
    const fields = answer === undefined ? null : fieldsOf(answer);
    const names = fields === null ? null : new Set(fields);
    this.#known.set(handler, names);
    return names;
  }
}

/** @throws AppError `invalid-parameter` that names each field that there is not */
function wantedOf(given: unknown, known: ReadonlySet<string>): readonly string[] {
  const names = [given].flat().flatMap((one) => String(one).split(','));
  const unknown = names.filter((name) => !known.has(name));
  if (unknown.length === 0) return names;
  const errors = unknown.slice(0, 20).map((name) => ({
    parameter: 'fields',
    code: 'unknown-field',
    detail: `There is no field ${JSON.stringify(name.slice(0, 100))}; there are ${[...known].join(', ')}.`,
  }));
  throw new AppError('invalid-parameter', 'Not all of these fields are there.', { errors });
}

function chosen(answer: Fields, wanted: readonly string[]): Fields {
  const of = (entry: Fields): Fields =>
    Object.fromEntries(wanted.flatMap((name) => (name in entry ? [[name, entry[name]]] : [])));
  const { data } = answer;
  return Array.isArray(data) ? { ...answer, data: data.map((entry: Fields) => of(entry)) } : of(answer);
}
