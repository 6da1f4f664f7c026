import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { AttemptErrorKind, Credential, PostResult } from '#libs/core';
import type { TokenGrant } from '#libs/http-delivery';
import { TokenCache, type TokenState } from './token-cache.js';

const second = 1_000;

const grant = (key: string): TokenGrant => ({
  key,
  place: 'https://auth.example/token',
  request: {
    origin: 'https://auth.example',
    path: '/token',
    headers: { key },
    body: Buffer.alloc(0),
    encoding: 'identity',
    timeoutMs: 10_000,
  },
  hidden: [],
});
const one = grant('one');

const answer = (body: object, status = 200): PostResult => ({
  kind: 'response',
  status,
  headers: {},
  body: Buffer.from(JSON.stringify(body)),
  truncated: false,
  durationMs: 5,
});
const failure = (kind: AttemptErrorKind): PostResult => ({
  kind: 'error',
  error: { kind, message: 'as scripted' },
  durationMs: 5,
});
const token = (text: string, expiresIn?: number) =>
  answer({ access_token: text, token_type: 'Bearer', ...(expiresIn === undefined ? {} : { expires_in: expiresIn }) });

let now: number;
/** Requests that are on their way, by key. */
let asked: { readonly key: string | undefined; readonly answer: (result: PostResult) => Promise<void> }[];
let arrived: string[];
let fetched: string[];
const cacheOf = (maxTokens?: number): TokenCache<string> =>
  new TokenCache<string>(
    {
      post({ headers }) {
        const { promise, resolve } = Promise.withResolvers<PostResult>();
        const settle = async (result: PostResult): Promise<void> => {
          resolve(result);
          await promise;
        };
        asked.push({ key: headers['key'], answer: settle });
        return promise;
      },
      monotonic: () => now,
      arrived: (waiters) => void arrived.push(...waiters),
      fetched: (result) => void fetched.push(result),
    },
    maxTokens === undefined ? {} : { maxTokens },
  );
let cache: TokenCache<string>;
beforeEach(() => {
  [now, asked, arrived, fetched] = [1_000, [], [], []];
  cache = cacheOf();
});

const values = (state: TokenState): string =>
  state.kind === 'held' ? state.credential.value : state.kind === 'failed' ? state.result.error.message : state.kind;
const get = (of = one, waiter = 'lane'): string => values(cache.get(of, waiter));
const held = (of = one): Credential => {
  const state = cache.get(of, 'lane');
  if (state.kind !== 'held') throw new Error(`it is ${state.kind}`);
  return state.credential;
};
/** Answers the request that was made last. */
const answered = (result: PostResult) => asked.at(-1)!.answer(result);

describe('a token', () => {
  it('is asked for once by all that wait, who are told once', async () => {
    for (let i = 0; i < 100; i += 1) expect(get(one, `lane ${i % 10}`)).toBe('fetching');
    expect(asked).toHaveLength(1);
    await answered(token('a', 3_600));
    expect(arrived).toEqual(Array.from({ length: 10 }, (_, i) => `lane ${i}`));
    for (let i = 0; i < 100; i += 1) expect(get()).toBe('Bearer a');
    expect([asked.length, arrived.length, fetched]).toEqual([1, 10, ['token']]);
  });

  it.each([
    ['half a minute before its end', 3_600, 3_570],
    ['a tenth before the end of a short life', 60, 54],
    ['after a second at the earliest: who waited for it must come to use it', 0, 1],
    ['after five minutes less half a minute, if its server says nothing', undefined, 270],
    ['after a day, whatever its server says', 10_000_000, 86_370],
  ])('is fetched anew %s', async (_, expiresIn, usedSeconds) => {
    get();
    await answered(token('a', expiresIn));
    now += usedSeconds * second - 1;
    expect(get()).toBe('Bearer a');
    now += 1;
    expect(get()).toBe('fetching');
    await answered(token('b', expiresIn));
    expect([get(), asked.length]).toEqual(['Bearer b', 2]);
  });

  it('is of its grant alone', async () => {
    get();
    await answered(token('a'));
    expect(get(grant('two'))).toBe('fetching');
    await answered(token('b'));
    expect([get(), get(grant('two'))]).toEqual(['Bearer a', 'Bearer b']);
  });
});

describe('a 401', () => {
  it('has the token fetched anew, once, however many answers bear it', async () => {
    get();
    await answered(token('a', 3_600));
    const used = held();
    now += 10 * second;
    for (let i = 0; i < 50; i += 1) cache.refused(one, used);
    for (let i = 0; i < 50; i += 1) expect(get()).toBe('fetching');
    await answered(token('b', 3_600));
    // To the token before it, late.
    now += 10 * second;
    for (let i = 0; i < 50; i += 1) cache.refused(one, used);
    expect([get(), asked.length]).toEqual(['Bearer b', 2]);
  });

  it('changes nothing of a token that was fetched just now: the next would be refused as well', async () => {
    get();
    await answered(token('a', 3_600));
    now += 10 * second - 1;
    cache.refused(one, held());
    expect([get(), asked.length]).toEqual(['Bearer a', 1]);
  });
});

describe('a failure', () => {
  it('is told to all, and not repeated by each; the server is left alone for longer each time', async () => {
    const pauses: number[] = [];
    for (let nth = 1; nth <= 7; nth += 1) {
      expect(get()).toBe('fetching');
      await answered(answer({ error: 'invalid_client' }, 400));
      const from = now;
      for (let i = 0; i < 1_000; i += 1) {
        expect(get()).toBe('no token from https://auth.example/token: it answered 400 invalid_client');
      }
      expect(asked).toHaveLength(nth);
      while (get() !== 'fetching') now += 500;
      pauses.push((now - from) / second);
      // The one that ended the pause is answered in the next round.
    }
    expect(pauses).toEqual([1, 2, 4, 8, 16, 30, 30]);
  });

  it('is forgotten with the next token', async () => {
    for (const result of [failure('dns'), failure('connect-timeout'), token('a', 1), failure('guard')]) {
      get();
      await answered(result);
      now += 5 * second;
    }
    expect(fetched).toEqual(['dns', 'timeout', 'token', 'guard']);
    get();
    expect(asked).toHaveLength(5);
  });

  it('is an outcome of its own kind', async () => {
    get();
    await answered(failure('guard'));
    const state = cache.get(one, 'lane');
    expect(state).toMatchObject({
      kind: 'failed',
      result: {
        error: { kind: 'auth-token', message: 'no token from https://auth.example/token: guard: as scripted' },
      },
    });
  });
});

describe('the bound', () => {
  it('lets go of what was fetched first, never of what is being fetched', async () => {
    cache = cacheOf(3);
    get(grant('slow'));
    for (const key of ['a', 'b', 'c', 'd']) {
      get(grant(key));
      await answered(token(key, 3_600));
    }
    expect(cache.size).toBe(3);
    expect(['d', 'c'].map((key) => get(grant(key)))).toEqual(['Bearer d', 'Bearer c']);
    await asked[0]!.answer(token('slow'));
    expect(get(grant('slow'))).toBe('Bearer slow');
    expect(get(grant('a'))).toBe('fetching');
  });

  it('property: whatever comes, one request per grant at a time, and who waits is told', async () => {
    const keys = ['a', 'b', 'c', 'd', 'e'];
    const steps = fc.array(
      fc.oneof(
        fc.record({ kind: fc.constant('get' as const), key: fc.constantFrom(...keys) }),
        fc.record({ kind: fc.constant('answer' as const), fails: fc.boolean() }),
        fc.record({ kind: fc.constant('refuse' as const), key: fc.constantFrom(...keys) }),
        fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 40_000 }) }),
      ),
      { maxLength: 60 },
    );
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        [now, asked, arrived] = [0, [], []];
        cache = cacheOf(2);
        const waiting = new Map<string, number>();
        const open: typeof asked = [];
        let mostOpen = 2;
        const answerOne = async (fails: boolean): Promise<void> => {
          const next = open.shift();
          if (next === undefined) return;
          const before = arrived.length;
          await next.answer(fails ? failure('dns') : token('t', 20));
          expect(arrived.slice(before)).toEqual(waiting.has(next.key ?? '') ? [next.key] : []);
          waiting.delete(next.key ?? '');
        };
        for (const step of all) {
          if (step.kind === 'wait') now += step.ms;
          if (step.kind === 'answer') await answerOne(step.fails);
          if (step.kind === 'refuse') {
            const state = cache.get(grant(step.key), step.key);
            if (state.kind === 'held') cache.refused(grant(step.key), state.credential);
            if (state.kind === 'fetching') waiting.set(step.key, 1);
          }
          if (step.kind === 'get' && cache.get(grant(step.key), step.key).kind === 'fetching') waiting.set(step.key, 1);
          open.push(...asked.splice(0));
          const keysOpen = open.map(({ key }) => key);
          expect(new Set(keysOpen).size).toBe(keysOpen.length);
          mostOpen = Math.max(mostOpen, open.length);
          expect(cache.size).toBeLessThanOrEqual(mostOpen);
        }
        while (open.length > 0) await answerOne(false);
        expect(waiting.size).toBe(0);
      }),
    );
  });
});
