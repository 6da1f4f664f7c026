import { createHmac, hkdfSync } from 'node:crypto';
import { openSecret, sealSecret, type MasterKeys } from '#libs/core';
import type { Database } from './database.js';

/** A request that carries an Idempotency-Key. */
export interface KeyedRequest {
  /** Whose key it is: two callers may choose the same. */
  readonly caller: string;
  readonly key: string;
  /** Digest of method, path and body: what makes it the same request. */
  readonly digest: Buffer;
}

export interface KeptAnswer {
  readonly status: number;
  /** As text that holds all of it. */
  readonly answer: string;
}

export type Begun =
  /** Nobody has done it: do it, then `finish` or `abandon` under this run. */
  | { readonly outcome: 'first'; readonly run: string }
  | ({ readonly outcome: 'answered' } & KeptAnswer)
  | { readonly outcome: 'in-progress' }
  /** The key was used for another request. */
  | { readonly outcome: 'other-request' };

const keptMs = 24 * 3_600_000;
/** Whoever works on a request for longer has died: the next one does it again. */
const workMs = 120_000;
const forgottenAtOnce = 1_000;

// One statement decides who is first. What is too old is as if it was not there, even before it was cleared away.
const begin = /* sql */ `
INSERT INTO idempotency_keys AS k (caller, key, request, run, begun_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (caller, key) DO UPDATE SET request = EXCLUDED.request, run = EXCLUDED.run, begun_at = EXCLUDED.begun_at,
  status = NULL, answer = NULL
WHERE k.begun_at <= $6 OR (k.status IS NULL AND k.begun_at <= $7 AND k.request = ANY($8::bytea[]))
RETURNING run
`;
const selectKept = /* sql */ `
SELECT request, status, answer FROM idempotency_keys WHERE caller = $1 AND key = $2
`;
const finish = /* sql */ `
UPDATE idempotency_keys SET status = $4, answer = $5 WHERE caller = $1 AND key = $2 AND run = $3
`;
const abandon = /* sql */ `
DELETE FROM idempotency_keys WHERE caller = $1 AND key = $2 AND run = $3 AND status IS NULL
`;
const forget = /* sql */ `
DELETE FROM idempotency_keys WHERE (caller, key) IN (
  SELECT caller, key FROM idempotency_keys WHERE begun_at <= $1 ORDER BY begun_at LIMIT ${forgottenAtOnce}
  FOR UPDATE SKIP LOCKED
)
`;

export interface IdempotencyParts {
  readonly masterKeys: MasterKeys;
  readonly randomBytes: (count: number) => Uint8Array;
  readonly newId: () => string;
}

/**
 * Answers to requests with an Idempotency-Key, for 24 hours, sealed by the master key. A request is noted before it is
 * done, in a transaction of its own. If its process dies before the answer is kept, whether the change was made is not
 * known, and after two minutes the request may be made again.
 */
export class IdempotencyKeys {
  private readonly database: Database;
  readonly #markKeys: readonly Uint8Array[];

  constructor(
    database: Database,
    private readonly parts: IdempotencyParts,
  ) {
    this.database = database.unconfined;
    this.#markKeys = [...parts.masterKeys].toSorted(([one], [other]) => other - one).map(([, key]) => markKeyOf(key));
  }

  /**
   * What a request is known by, under each master key, the newest first. Not by its digest: who has that, and all of the body
   * but a password, can guess the password.
   */
  #marksOf({ digest }: KeyedRequest): readonly Buffer[] {
    return this.#markKeys.map((key) => createHmac('sha256', key).update(digest).digest());
  }

  /** @param now Unix milliseconds */
  async begin(request: KeyedRequest, now: number): Promise<Begun> {
    const { caller, key } = request;
    const { session } = this.database;
    const marks = this.#marksOf(request);
    const run = this.parts.newId();
    const [at, kept, working] = [now, now - keptMs, now - workMs].map((ms) => new Date(ms));
    const first: unknown[] = await session.query(begin, [caller, key, marks[0], run, at, kept, working, marks]);
    if (first.length > 0) return { outcome: 'first', run };
    const [found]: { request: Buffer; status: number | null; answer: string | null }[] = await session.query(
      selectKept,
      [caller, key],
    );
    // Given up in this moment: whoever asks once more is the first.
    if (found === undefined) return { outcome: 'in-progress' };
    if (!marks.some((mark) => mark.equals(found.request))) return { outcome: 'other-request' };
    const { status, answer } = found;
    if (status === null || answer === null) return { outcome: 'in-progress' };
    return { outcome: 'answered', status, answer: openSecret(this.parts.masterKeys, answer, contextOf(request)) };
  }

  /** Keeps the answer, unless another has taken the request over since. */
  async finish(request: KeyedRequest, run: string, { status, answer }: KeptAnswer): Promise<void> {
    const { masterKeys, randomBytes } = this.parts;
    const sealed = sealSecret(masterKeys, answer, contextOf(request), randomBytes(12));
    await this.database.session.query(finish, [request.caller, request.key, run, status, sealed]);
  }

  /** It was not done, and may be tried again at once. */
  async abandon(request: KeyedRequest, run: string): Promise<void> {
    await this.database.session.query(abandon, [request.caller, request.key, run]);
  }

  /** Clears away what is older than a day, some rows at a time. @returns how many */
  async forgetOld(now: number): Promise<number> {
    for (let forgotten = 0; ;) {
      const [, count]: [unknown, number] = await this.database.session.query(forget, [new Date(now - keptMs)]);
      forgotten += count;
      if (count < forgottenAtOnce) return forgotten;
    }
  }
}

const markKeyOf = (masterKey: Uint8Array): Uint8Array =>
  new Uint8Array(hkdfSync('sha256', masterKey, new Uint8Array(0), 'posthorn idempotent request', 32));

/** An answer opens only under the key that it was given to. */
const contextOf = ({ caller, key }: KeyedRequest): string => `idempotency ${JSON.stringify([caller, key])}`;
