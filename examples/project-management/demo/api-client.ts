/** What the demo reads of an answer (the whole shapes stand in the API's reference). */
export interface EndpointStats {
  readonly endpointId: string;
  readonly matched: number;
  readonly delivered: number;
  readonly retried: number;
  readonly deadLettered: number;
  readonly dropped: number;
  readonly pending: number;
  readonly latencyP50Ms: number | null;
  readonly latencyP95Ms: number | null;
}

export interface LoggedDelivery {
  readonly webhookId: string;
  readonly status: 'pending' | 'delivered' | 'dead-lettered' | 'dropped';
}

/** A call of the REST API that was answered with a problem (RFC 9457). */
class ApiError extends Error {
  override readonly name = 'ApiError';
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** Posthorn's REST API, as far as the demo needs it. */
export class ApiClient {
  constructor(
    private readonly url: string,
    private readonly key: string,
  ) {}

  createTenant(id: string, name: string): Promise<unknown> {
    return this.#call('POST', '/v1/tenants', { id, name });
  }

  createEndpoint(endpoint: object): Promise<{ readonly id: string; readonly secret: string }> {
    return this.#call('POST', '/v1/endpoints', endpoint);
  }

  /** Gone is gone, whoever did it. */
  async delete(path: string): Promise<void> {
    try {
      await this.#call('DELETE', path);
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 404)) throw error;
    }
  }

  async endpointStats(tenantId: string): Promise<readonly EndpointStats[]> {
    return (await this.#call<{ data: EndpointStats[] }>('GET', `/v1/stats/endpoints?tenantId=${tenantId}`)).data;
  }

  /** Every entry of a list, page by page. */
  async *all<T>(path: string): AsyncGenerator<T> {
    const join = path.includes('?') ? '&' : '?';
    let cursor: string | null = '';
    while (cursor !== null) {
      const at = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const page: { data: T[]; nextCursor: string | null } = await this.#call('GET', `${path}${join}limit=200${at}`);
      yield* page.data;
      cursor = page.nextCursor;
    }
  }

  async #call<T>(method: string, path: string, body?: object): Promise<T> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(15_000),
    });
    const text = await response.text();
    if (!response.ok) throw new ApiError(response.status, `${method} ${path} was answered ${response.status}: ${text}`);
    return (text === '' ? null : JSON.parse(text)) as T;
  }
}
