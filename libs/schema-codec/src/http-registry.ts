import { Agent } from 'node:https';
import axios, { type AxiosInstance, type AxiosResponse } from 'axios';
import { RegistryUnavailable } from './errors.js';
import type { RegisteredVersion, Registry } from './registry.js';

/** Subjects are event types, which come from outside: a longer one would only be too long a URL. */
const maxSubjectLength = 255;
/** "No such thing", or a name that no such thing can have: asked again, it would be the same. */
const unknownStatus = new Set([400, 404, 414, 422]);

const contentType = 'application/vnd.schemaregistry.v1+json';

/** Where a registry is, and how to know that it is the one. */
export interface RegistryAddress {
  /** Base of the Confluent REST API, for example `http://registry:8081`; may hold user and password. */
  readonly registryUrl: string;
  /** PEM of the authorities that may have signed its certificate, in the place of the public ones. */
  readonly ca?: string;
}

/**
 * The registry over its Confluent REST API (Confluent, Apicurio, Karapace, Redpanda). By axios and not by the client
 * library, which hands out neither the text of a schema nor the difference between "unknown" and "unreachable".
 */
export class HttpRegistry implements Registry {
  readonly #http: AxiosInstance;

  constructor({ registryUrl, ca }: RegistryAddress, timeoutMs: number) {
    const url = new URL(registryUrl);
    const auth = url.username === '' ? undefined : { username: plain(url.username), password: plain(url.password) };
    url.username = '';
    url.password = '';
    this.#http = axios.create({
      baseURL: url.href.replace(/\/+$/, ''),
      timeout: timeoutMs,
      headers: { accept: contentType, 'content-type': contentType },
      validateStatus: () => true,
      // The answer of a registry is small; nothing of it is to be followed elsewhere.
      maxRedirects: 3,
      ...(url.protocol === 'https:'
        ? { httpsAgent: new Agent({ rejectUnauthorized: true, ...(ca === undefined ? {} : { ca }) }) }
        : {}),
      proxy: false,
      ...(auth === undefined ? {} : { auth }),
    });
  }

  async schemaById(id: number): Promise<string | null> {
    // Ids come from outside; what no registry can have given out need not be asked for.
    if (id < 1 || id > 0x7fffffff) return null;
    const answer = await this.request('GET', `/schemas/ids/${id}`);
    return answer === null || !isPlainAvro(answer) ? null : (answer as { schema: string }).schema;
  }

  async subjects(): Promise<readonly string[]> {
    return ((await this.request('GET', '/subjects')) ?? []) as string[];
  }

  async versions(subject: string): Promise<readonly number[] | null> {
    if (subject.length > maxSubjectLength) return null;
    const answer = await this.request('GET', `/subjects/${encodeURIComponent(subject)}/versions`);
    return answer === null ? null : (answer as number[]).toSorted((a, b) => a - b);
  }

  async version(subject: string, version: number): Promise<RegisteredVersion | null> {
    const answer = await this.request('GET', `/subjects/${encodeURIComponent(subject)}/versions/${version}`);
    return answer === null || !isPlainAvro(answer) ? null : (answer as RegisteredVersion);
  }

  async idOf(subject: string, schema: object): Promise<number | null> {
    return (await this.find(subject, schema))?.id ?? null;
  }

  /** Id and number of exactly this schema under this subject; null if it was never registered there. */
  async find(subject: string, schema: object): Promise<Pick<RegisteredVersion, 'id' | 'version'> | null> {
    const body = { schema: JSON.stringify(schema) };
    const answer = await this.request('POST', `/subjects/${encodeURIComponent(subject)}`, body);
    return answer === null ? null : (answer as RegisteredVersion);
  }

  /** Compatibility of a subject; null when it has none of its own, or does not exist. */
  async compatibility(subject: string): Promise<string | null> {
    const answer = await this.request('GET', `/config/${encodeURIComponent(subject)}`);
    return answer === null ? null : (answer as { compatibilityLevel: string }).compatibilityLevel.toUpperCase();
  }

  /** @returns false when the registry knows no such subject (Apicurio wants it to exist first) */
  async setCompatibility(subject: string, compatibility: string): Promise<boolean> {
    return (await this.request('PUT', `/config/${encodeURIComponent(subject)}`, { compatibility })) !== null;
  }

  /** @returns the id, or in words why the registry refuses */
  async register(subject: string, schema: object): Promise<{ id: number } | { refusal: string }> {
    const path = `/subjects/${encodeURIComponent(subject)}/versions`;
    const answer = await this.#send('POST', path, { schema: JSON.stringify(schema) });
    if (answer.status < 300) return answer.data as { id: number };
    if (answer.status === 409 || answer.status === 422) return { refusal: messageOf(answer) };
    throw this.#failure('POST', path, answer);
  }

  /** @returns the body of a 2xx, null for what is unknown */
  private async request(method: 'GET' | 'POST' | 'PUT', path: string, body?: object): Promise<object | null> {
    const answer = await this.#send(method, path, body);
    if (answer.status === 404 || (method === 'GET' && unknownStatus.has(answer.status))) return null;
    if (answer.status >= 200 && answer.status < 300) return answer.data as object;
    throw this.#failure(method, path, answer);
  }

  async #send(method: 'GET' | 'POST' | 'PUT', path: string, body?: object): Promise<AxiosResponse<unknown>> {
    try {
      return await this.#http.request<unknown>({ method, url: path, ...(body === undefined ? {} : { data: body }) });
    } catch (error) {
      throw new RegistryUnavailable(`the schema registry does not answer: ${reasonOf(error)}`, { cause: error });
    }
  }

  /** Also for 401 and 403: nothing is known about the schema then, and a record must not be rejected for it. */
  #failure(method: string, path: string, answer: AxiosResponse<unknown>): RegistryUnavailable {
    return new RegistryUnavailable(
      `the schema registry answers ${answer.status} to ${method} ${path}: ${messageOf(answer)}`,
    );
  }
}

/** Not Protobuf or JSON Schema, and complete in itself. */
function isPlainAvro(answer: object): boolean {
  const { schemaType = 'AVRO', references = [] } = answer as { schemaType?: string; references?: unknown[] };
  return schemaType === 'AVRO' && references.length === 0;
}

const plain = (text: string): string => decodeURIComponent(text);

function messageOf(answer: AxiosResponse<unknown>): string {
  const { data } = answer;
  if (typeof data === 'object' && data !== null && 'message' in data) return String(data.message);
  return typeof data === 'string' && data !== '' ? data.slice(0, 500) : answer.statusText;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return error.message === '' ? code : error.message;
}
