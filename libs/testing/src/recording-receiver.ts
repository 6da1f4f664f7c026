import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ReceivedRequest {
  readonly method: string;
  /** Path and query, as sent. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** When its body was complete: Unix time in milliseconds, with a fraction. */
  readonly at: number;
}

/** What to answer. `never` keeps the connection open in silence; `cut` destroys it. */
export type ReceiverAnswer =
  | {
      readonly kind?: 'answer';
      /** Default 204. */
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string | Buffer;
      /** Wait before the status line. */
      readonly delayMs?: number;
    }
  | { readonly kind: 'never' }
  | { readonly kind: 'cut'; readonly delayMs?: number };

/** Decides each answer; `index` counts all requests from 0, `earlier` those with the same `webhook-id` before it. */
export type AnswerProgram = (request: ReceivedRequest, index: number, earlier: number) => ReceiverAnswer;

/** An HTTP server on a free port of 127.0.0.1 that remembers each request and answers as it is told. */
export class RecordingReceiver {
  readonly requests: ReceivedRequest[] = [];
  /** May be replaced at any time. */
  program: AnswerProgram;
  readonly #server: Server;
  readonly #seen = new Map<string, number>();
  readonly #waiting = new Set<() => void>();

  private constructor(program: AnswerProgram) {
    this.program = program;
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const answer = this.#record({
          method: request.method ?? '',
          path: request.url ?? '',
          headers: request.headers,
          body: Buffer.concat(chunks),
          at: performance.timeOrigin + performance.now(),
        });
        if (answer.kind === 'never') return;
        const send = (): void => {
          if (answer.kind === 'cut') request.socket.destroy();
          else response.writeHead(answer.status ?? 204, answer.headers).end(answer.body);
        };
        if (answer.delayMs === undefined) send();
        else setTimeout(send, answer.delayMs).unref();
      });
    });
  }

  /** Starts one that answers by `program`; without it, 204 to all. */
  static async start(program: AnswerProgram = () => ({})): Promise<RecordingReceiver> {
    const receiver = new RecordingReceiver(program);
    await new Promise<void>((resolve, reject) => {
      receiver.#server.once('error', reject);
      receiver.#server.listen(0, '127.0.0.1', resolve);
    });
    return receiver;
  }

  /** `http://127.0.0.1:<port>`, without a path. */
  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get port(): number {
    const address: AddressInfo | string | null = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('The receiver is closed');
    return address.port;
  }

  /** All requests that carried this `webhook-id`, in order of arrival. */
  of(webhookId: string): ReceivedRequest[] {
    return this.requests.filter((request) => request.headers['webhook-id'] === webhookId);
  }

  /** Waits until `count` requests have come. @throws Error after `timeoutMs`, saying how many there were. */
  async waitFor(count: number, timeoutMs = 10_000): Promise<void> {
    const deadline = AbortSignal.timeout(timeoutMs);
    while (this.requests.length < count) {
      if (deadline.aborted) throw new Error(`${this.requests.length} of ${count} requests within ${timeoutMs} ms`);
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#waiting.delete(wake);
          deadline.removeEventListener('abort', wake);
          resolve();
        };
        this.#waiting.add(wake);
        deadline.addEventListener('abort', wake);
      });
    }
  }

  /** Stops listening and cuts what is still open. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  #record(request: ReceivedRequest): ReceiverAnswer {
    const id = String(request.headers['webhook-id'] ?? '');
    const earlier = this.#seen.get(id) ?? 0;
    this.#seen.set(id, earlier + 1);
    this.requests.push(request);
    const answer = this.program(request, this.requests.length - 1, earlier);
    for (const wake of this.#waiting) wake();
    return answer;
  }
}
