import type { PostResult } from '#libs/core';
import type { PostFact, Tenure } from './evidence.js';
import type { Random } from './random.js';
import type { SimProcess } from './sim-process.js';
import type { VirtualTime } from './virtual-time.js';

/** What an endpoint does with one POST. */
interface Reaction {
  /** 0: it never answers. */
  readonly status: number;
  readonly afterMs: number;
}

/** What an endpoint does with the nth POST (from 1) of a delivery, at `elapsed` ms since the start. */
export type Behaviour = (nth: number, elapsed: number, random: Random) => Reaction;

/** A POST as the worker hands it over: what of it the receivers look at. */
export interface Request {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly timeoutMs: number;
}

/** All endpoints, as servers: they record what they get, and answer as scripted. */
export class Receivers {
  readonly posts: PostFact[] = [];
  readonly behaviours = new Map<string, Behaviour>();
  readonly #arrivals = new Map<string, number>();
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #tenureOf: (process: SimProcess, endpointId: string) => Tenure | null;
  readonly #trace: (line: string) => void;

  constructor(
    time: VirtualTime,
    random: Random,
    tenureOf: (process: SimProcess, endpointId: string) => Tenure | null,
    trace: (line: string) => void,
  ) {
    this.#time = time;
    this.#random = random;
    this.#tenureOf = tenureOf;
    this.#trace = trace;
  }

  post(process: SimProcess, { path, headers, body, timeoutMs }: Request): Promise<PostResult> {
    const { promise, resolve } = Promise.withResolvers<PostResult>();
    const endpointId = path.slice(1);
    // Before the call: it may die in it.
    const tenure = this.#tenureOf(process, endpointId);
    if (!process.enters()) return promise;
    const webhookId = headers['webhook-id'] ?? '';
    const at = this.#time.elapsed;
    const post: PostFact = {
      tenure,
      process: process.name,
      endpointId,
      webhookId,
      body: body.toString(),
      carries: [webhookId],
      at,
      arrivedAt: null,
      status: null,
      answeredAt: null,
      failedAt: null,
      acknowledgedAt: null,
    };
    this.posts.push(post);
    this.#trace(`${process.name} POST ${endpointId} ${webhookId}`);
    let over = false;
    const end = (result: PostResult, failed: boolean): void => {
      if (over) return;
      over = true;
      if (failed) post.failedAt = this.#time.elapsed;
      this.#trace(`${process.name} answer ${webhookId} ${result.kind === 'response' ? result.status : 'none'}`);
      resolve(result);
    };
    const durationMs = (): number => this.#time.elapsed - at;
    process.transmit(() => {
      post.arrivedAt = this.#time.elapsed;
      const nth = (this.#arrivals.get(webhookId) ?? 0) + 1;
      this.#arrivals.set(webhookId, nth);
      const behaviour = this.behaviours.get(endpointId) ?? (() => ({ status: 200, afterMs: 1 }));
      const { status, afterMs } = behaviour(nth, this.#time.elapsed, this.#random);
      if (status === 0) return;
      this.#time.schedule(afterMs, () => {
        post.status = status;
        post.answeredAt = this.#time.elapsed;
        process.answer(() =>
          end(
            { kind: 'response', status, headers: {}, body: empty, truncated: false, durationMs: durationMs() },
            status < 200 || status > 299,
          ),
        );
      });
    });
    process.schedule(timeoutMs, () =>
      end(
        { kind: 'error', error: { kind: 'total-timeout', message: 'no answer in time' }, durationMs: durationMs() },
        true,
      ),
    );
    return promise;
  }
}

const empty = Buffer.alloc(0);
