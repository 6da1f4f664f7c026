// Tokens of OAuth 2.0 for endpoints that ask for them (RFC 6749 §4.4): fetched once for all deliveries that wait for one, kept
// until shortly before their end. What a token is in turn: absent, fetching, held, failed (docs/delivery-state.md, Tokens).
// Reads: answers of authorization servers. Writes: requests to them. Keeps nothing over a crash: the next owner asks anew.
// Tests: token-cache.spec.ts, endpoint-authentication.spec.ts.
import {
  bearerCredential,
  tokenOutcomeOf,
  type Credential,
  type PostFailure,
  type PostResult,
  type TokenFailureReason,
} from '#libs/core';
import type { HttpPost, TokenGrant } from '#libs/http-delivery';

export interface TokenCachePorts<W> {
  /** Through the guard; never rejects. */
  post(request: HttpPost): Promise<PostResult>;
  /** Milliseconds of a clock that never jumps. */
  monotonic(): number;
  /** What they have waited for is here, or is not to be had for now. */
  arrived(waiters: ReadonlySet<W>): void;
  /** An authorization server has answered, or has not. */
  fetched(result: 'token' | TokenFailureReason): void;
}

export interface TokenCacheOptions {
  /** Tokens that are kept; the one that was fetched first goes first. Default 4,096. */
  readonly maxTokens?: number;
}

export type TokenState =
  | { readonly kind: 'held'; readonly credential: Credential }
  | { readonly kind: 'failed'; readonly result: PostFailure }
  /** It is being fetched: `arrived` follows. */
  | { readonly kind: 'fetching' };

interface Slot<W> {
  state: TokenState;
  /** Until when it is used, or the failure stands. */
  until: number;
  fetchedAt: number;
  failuresInRow: number;
  waiting: Set<W>;
}

/** A token whose server does not say how long it is good for … */
const unknownLifetimeMs = 300_000;
/** … and the longest that any is believed. */
const longestLifetimeMs = 86_400_000;
/** So long before its end it is not used any more; a tenth of short lives. */
const marginMs = 30_000;
/** Who has waited for it must come to use it. */
const shortestUseMs = 1_000;
/** After a failure the server is left alone: twice as long after each, up to … */
const firstPauseMs = 1_000;
const longestPauseMs = 30_000;
/** One that was fetched just now and is refused would be refused again. */
const youngMs = 10_000;

const fetching = { kind: 'fetching' } as const;

/** @template W who waits for tokens */
export class TokenCache<W> {
  readonly #ports: TokenCachePorts<W>;
  readonly #maxTokens: number;
  /** In the order in which they were fetched. */
  readonly #slots = new Map<string, Slot<W>>();

  constructor(ports: TokenCachePorts<W>, { maxTokens = 4_096 }: TokenCacheOptions = {}) {
    this.#ports = ports;
    this.#maxTokens = maxTokens;
  }

  get size(): number {
    return this.#slots.size;
  }

  /** The token as it stands; where there is none, it is asked for, once for all, and `waiter` is told when it is here. */
  get(grant: TokenGrant, waiter: W): TokenState {
    let slot = this.#slots.get(grant.key);
    if (slot === undefined) {
      slot = { state: fetching, until: 0, fetchedAt: 0, failuresInRow: 0, waiting: new Set() };
      this.#fetch(grant, slot);
    } else if (slot.state.kind !== 'fetching') {
      if (this.#ports.monotonic() < slot.until) return slot.state;
      this.#fetch(grant, slot);
    }
    slot.waiting.add(waiter);
    return fetching;
  }

  /** An endpoint has answered 401 to this token: it is not used again, unless it was fetched just now. */
  refused({ key }: TokenGrant, credential: Credential): void {
    const slot = this.#slots.get(key);
    // Answers to the token before it come late.
    if (slot?.state.kind !== 'held' || slot.state.credential !== credential) return;
    if (this.#ports.monotonic() - slot.fetchedAt >= youngMs) slot.until = 0;
  }

  #fetch(grant: TokenGrant, slot: Slot<W>): void {
    slot.state = fetching;
    this.#slots.delete(grant.key);
    this.#slots.set(grant.key, slot);
    if (this.#slots.size > this.#maxTokens) this.#letGoOfOldest();
    void this.#ports.post(grant.request).then((result) => this.#answered(grant, slot, result));
  }

  #answered(grant: TokenGrant, slot: Slot<W>, result: PostResult): void {
    const now = this.#ports.monotonic();
    const outcome = tokenOutcomeOf(result, grant.hidden);
    this.#ports.fetched(outcome.kind === 'token' ? 'token' : outcome.reason);
    slot.fetchedAt = now;
    if (outcome.kind === 'token') {
      const lifetimeMs = Math.min(outcome.lifetimeMs ?? unknownLifetimeMs, longestLifetimeMs);
      slot.state = { kind: 'held', credential: bearerCredential(outcome.token) };
      slot.until = now + Math.max(shortestUseMs, lifetimeMs - Math.min(marginMs, lifetimeMs / 10));
      slot.failuresInRow = 0;
    } else {
      const message = `no token from ${grant.place}: ${outcome.message}`;
      const error = { kind: 'auth-token', message } as const;
      slot.state = { kind: 'failed', result: { kind: 'error', error, durationMs: 0 } };
      slot.until = now + Math.min(longestPauseMs, firstPauseMs * 2 ** slot.failuresInRow);
      slot.failuresInRow += 1;
    }
    const waiters = slot.waiting;
    slot.waiting = new Set();
    this.#ports.arrived(waiters);
  }

  /** Those that are being fetched stay: if they are too many, the bound is exceeded for as long. */
  #letGoOfOldest(): void {
    for (const [key, { state }] of this.#slots) {
      if (this.#slots.size <= this.#maxTokens) return;
      if (state.kind !== 'fetching') this.#slots.delete(key);
    }
  }
}
