import { gzip } from 'node:zlib';
import type { Dispatcher } from 'undici';
import type { AttemptErrorKind, PostResult } from '#libs/core';
import { ConnectFailure } from './connect-failure.js';
import { errorKindOf, errorMessageOf } from './error-kind.js';
import type { HttpPost } from './http-post.js';
import type { OriginPool, OriginPools } from './origin-pools.js';

export interface ExchangeBounds {
  readonly headersTimeoutMs: number;
  readonly bodyTimeoutMs: number;
  readonly keptBytes: number;
  readonly drainedBytes: number;
}

/** Ends a connection whose result is known already. */
const cut = new Error('the rest is of no interest');
const nothing = Buffer.alloc(0);

/**
 * One POST and its answer, on undici's lowest level (no streams, no promises per piece): a handler of its dispatcher.
 * It is done exactly once, by the answer's end, its cap, an error or the time being over, whichever is first.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #request: HttpPost;
  readonly #bounds: ExchangeBounds;
  readonly #keptBytes: number;
  readonly #pools: OriginPools;
  readonly #done: (result: PostResult) => void;
  readonly #startedAt = performance.now();
  #pool: OriginPool | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #timer: NodeJS.Timeout | undefined;
  #status = 0;
  #headers: Record<string, string> = {};
  #body: Buffer = nothing;
  #received = 0;
  #over = false;

  constructor(request: HttpPost, bounds: ExchangeBounds, pools: OriginPools, done: (result: PostResult) => void) {
    this.#request = request;
    this.#bounds = bounds;
    this.#keptBytes = request.keptAnswerBytes ?? bounds.keptBytes;
    this.#pools = pools;
    this.#done = done;
  }

  start(): void {
    const { origin, body, encoding, timeoutMs, tls } = this.#request;
    try {
      this.#pool = this.#pools.take(origin, tls);
    } catch (error) {
      this.#fail(error instanceof ConnectFailure ? error.kind : 'undeliverable', errorMessageOf(error));
      return;
    }
    this.#timer = setTimeout(() => this.#tooLate(timeoutMs), timeoutMs);
    if (encoding === 'identity') this.#dispatch(this.#pool, body);
    else this.#dispatchGzipped(this.#pool, body);
  }

  /** In zlib's own threads: a batch may have a megabyte, and others wait for this one. */
  #dispatchGzipped(pool: OriginPool, body: Buffer): void {
    gzip(body, (error, compressed) => {
      // Its time was over, and its result is out.
      if (this.#over) return;
      if (error === null) this.#dispatch(pool, compressed);
      else this.#fail('aborted', errorMessageOf(error));
    });
  }

  #dispatch({ pool }: OriginPool, body: Buffer): void {
    const { method = 'POST', path, headers } = this.#request;
    try {
      // A request that cannot be written (a header with a line break, …) is reported through onResponseError.
      pool.dispatch(
        {
          path,
          method,
          headers,
          body,
          headersTimeout: this.#bounds.headersTimeoutMs,
          bodyTimeout: this.#bounds.bodyTimeoutMs,
        },
        this,
      );
    } catch (error) {
      this.#fail(errorKindOf(error), errorMessageOf(error));
    }
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // Its time was over while it waited for a connection: it must not be sent any more.
    if (this.#over) controller.abort(cut);
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Readonly<Record<string, string | string[] | undefined>>,
  ): void {
    if (status < 200) return;
    this.#status = status;
    this.#headers = joined(headers);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#over) return;
    const room = this.#keptBytes - this.#body.length;
    this.#received += chunk.length;
    if (room > 0) {
      // A copy: the chunk is a part of a much larger buffer, which must not be kept alive by a few bytes.
      this.#body = Buffer.concat([this.#body, chunk.subarray(0, room)]);
    }
    if (this.#received > this.#keptBytes + this.#bounds.drainedBytes) {
      this.#answer();
      controller.abort(cut);
    }
  }

  onResponseEnd(): void {
    this.#answer();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (!this.#over) this.#fail(errorKindOf(error), errorMessageOf(error));
  }

  #tooLate(timeoutMs: number): void {
    this.#fail('total-timeout', `no complete answer within ${timeoutMs} ms`);
    this.#controller?.abort(cut);
  }

  #answer(): void {
    this.#finish({
      kind: 'response',
      status: this.#status,
      headers: this.#headers,
      body: this.#body,
      truncated: this.#received > this.#body.length,
      durationMs: this.#elapsed(),
    });
  }

  #fail(kind: AttemptErrorKind, message: string): void {
    this.#finish({ kind: 'error', error: { kind, message }, durationMs: this.#elapsed() });
  }

  #finish(result: PostResult): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    if (this.#pool !== undefined) this.#pools.done(this.#pool);
    this.#done(result);
  }

  #elapsed(): number {
    return Math.round(performance.now() - this.#startedAt);
  }
}

function joined(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  const plain: Record<string, string> = {};
  for (const name in headers) {
    const value = headers[name];
    if (value !== undefined) plain[name] = typeof value === 'string' ? value : value.join(', ');
  }
  return plain;
}
