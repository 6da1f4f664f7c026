import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '#libs/config';
import type { Readable } from '../../oracle/secrecy-oracle.js';

/** Where the REST API is, and who asks. */
export interface ApiAccess {
  readonly url: string;
  readonly key: string;
}

interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
}
type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';
type Paths = Readonly<Record<string, Readonly<Partial<Record<Method, Operation>>>>>;
type Item = Readonly<Record<string, unknown>>;

/** Of each collection, so many are asked for one by one, newest first; lists come whole, up to so many pages. */
const itemsAtMost = 8;
const pagesAtMost = 5;

const pathsOfApi = (): Paths =>
  (JSON.parse(readFileSync(join(projectRoot(), 'schemas/openapi/posthorn.json'), 'utf8')) as { paths: Paths }).paths;

/**
 * What the REST API answers now to every GET that its OpenAPI document has, with ids from its own lists, headers and bodies:
 * a place for each path. @throws Error when one of them fails
 */
export async function* answersOf(api: ApiAccess, paths: Paths = pathsOfApi()): AsyncGenerator<Readable> {
  const walk = new Walk(api, paths);
  for (const [path, { get }] of Object.entries(paths)) {
    if (get !== undefined) yield { place: `GET ${path}`, pieces: walk.answers(path) };
  }
}

class Walk {
  /** Ids and the like of each collection that was asked for. */
  readonly #listed = new Map<string, Promise<readonly Item[]>>();

  constructor(
    private readonly api: ApiAccess,
    private readonly paths: Paths,
  ) {}

  async *answers(path: string): AsyncGenerator<Buffer> {
    for (const filled of await this.#filled(path)) {
      for await (const { bytes } of this.#pages(path, filled)) yield bytes;
    }
  }

  /** The path with its parameters filled in, for each of what there is. */
  async #filled(path: string): Promise<readonly string[]> {
    const [, before, name, rest] = /^(.*)\/\{(\w+)\}([^{]*)$/.exec(path) ?? [];
    if (before === undefined || name === undefined) return [path];
    const filled: string[] = [];
    for (const collection of await this.#filled(before)) {
      for (const item of await this.#items(before, collection, name)) {
        const value = item[name] ?? item['id'];
        const id = typeof value === 'number' ? String(value) : typeof value === 'string' ? value : 'no-such-thing';
        filled.push(`${collection}/${encodeURIComponent(id)}${rest ?? ''}`);
      }
    }
    return filled;
  }

  #items(path: string, collection: string, name: string): Promise<readonly Item[]> {
    // Where there is no list, there is a first one (of versions).
    if (this.paths[path]?.get === undefined) return Promise.resolve([{ [name]: '1' }]);
    const listed = this.#listed.get(collection) ?? this.#list(path, collection);
    this.#listed.set(collection, listed);
    return listed;
  }

  async #list(path: string, collection: string): Promise<readonly Item[]> {
    const items: Item[] = [];
    for await (const { data } of this.#pages(path, collection)) items.push(...data);
    return items.slice(0, itemsAtMost);
  }

  async *#pages(path: string, filled: string): AsyncGenerator<{ bytes: Buffer; data: readonly Item[] }> {
    const parameters = new Set(this.paths[path]?.get?.parameters?.map(({ name }) => name));
    const query = new URLSearchParams();
    if (parameters.has('limit')) query.set('limit', '200');
    if (parameters.has('to') && path.endsWith('/difference')) query.set('to', '1');
    for (let page = 0; page < pagesAtMost; page += 1) {
      const { status, bytes, body } = await ask(this.api, 'get', `${filled}?${query.toString()}`);
      // What has an id may be gone, or have no first version: then the refusal is looked at.
      if (status >= 500 || (status >= 400 && path === filled)) throw new Error(`GET ${filled} was answered ${status}`);
      const { data, nextCursor } = (body ?? {}) as { data?: unknown; nextCursor?: unknown };
      yield { bytes, data: Array.isArray(data) ? (data as Item[]) : [] };
      if (typeof nextCursor !== 'string') return;
      query.set('cursor', nextCursor);
    }
  }
}

/**
 * What the REST API answers to faults in requests that hold a secret: in fields that are not known, in a URL, in JSON that is
 * none, in the place of an id or of a key. A place for each route. @throws Error when one of them is taken
 */
export async function* refusalsOf(
  api: ApiAccess,
  secret: string,
  paths: Paths = pathsOfApi(),
): AsyncGenerator<Readable> {
  for (const [path, operations] of Object.entries(paths)) {
    for (const method of ['post', 'put', 'patch'] as const) {
      if (operations[method] === undefined) continue;
      const pieces = refusals(api, method, path.replaceAll(/\{\w+\}/g, 'no-such-thing'), secret);
      yield { place: `refusal of ${method.toUpperCase()} ${path}`, pieces };
    }
  }
  const { bytes } = await ask({ ...api, key: secret }, 'get', '/v1/endpoints');
  yield { place: 'refusal of a key', pieces: [bytes] };
}

async function* refusals(api: ApiAccess, method: Method, path: string, secret: string): AsyncGenerator<Buffer> {
  const faulty = JSON.stringify({ secret, url: `https://user:${secret}@localhost/`, notAField: secret, id: [secret] });
  for (const body of [faulty, faulty.slice(0, -1)]) {
    const { status, bytes } = await ask(api, method, path, body);
    if (status < 400 || status >= 500) throw new Error(`${method} ${path} with faults was answered ${status}`);
    yield bytes;
  }
}

async function ask(
  { url, key }: ApiAccess,
  method: Method,
  path: string,
  sent?: string,
): Promise<{ readonly status: number; readonly bytes: Buffer; readonly body: unknown }> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  const answer = await fetch(url + path, {
    method: method.toUpperCase(),
    headers: sent === undefined ? { authorization: headers.authorization } : headers,
    ...(sent === undefined ? {} : { body: sent }),
  });
  const text = await answer.text();
  const isJson = /json/.test(answer.headers.get('content-type') ?? '');
  const bytes = Buffer.from(`${[...answer.headers].flat().join('\n')}\n${text}\n`);
  return { status: answer.status, bytes, body: isJson && text !== '' ? JSON.parse(text) : null };
}

/** The metrics of each process, a place each. */
export async function* metricsOf(
  apps: Iterable<{ readonly name: string; readonly url: string }>,
): AsyncGenerator<Readable> {
  for (const { name, url } of apps) {
    const answer = await fetch(`${url}/metrics`);
    yield { place: `metrics of ${name}`, pieces: [Buffer.from(await answer.text())] };
  }
}
