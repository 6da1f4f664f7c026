import { hash, timingSafeEqual } from 'node:crypto';
import { keptKeyOf, verifyPortalToken, type PortalKeys, type PortalTokenFault } from '#libs/core';
import type { ApiKey, ApiKeys, PortalTokenRegister, PortalTokenState } from '#libs/persistence';
import { AppError, type ProblemCode } from '../problem/app-error.js';
import type { Caller } from './caller.js';
import { FreshLookups } from './fresh-lookups.js';

export interface CallerPorts {
  /** Of the environment: it may do everything. Empty: there is none. */
  readonly operatorKey: string;
  readonly keys: Pick<ApiKeys, 'find' | 'noteUse'>;
  readonly tokens: Pick<PortalTokenRegister, 'states'>;
  readonly portalKeys: PortalKeys;
  readonly now: () => number;
  readonly log: { warn(details: object, message: string): void };
}

/** Its use is noted to the minute. */
const useMs = 60_000;
/** Keys whose use is remembered here, about 100 bytes each. */
const mostKept = 10_000;

const digest = (text: string): Buffer => hash('sha256', text, 'buffer');

const root: Caller = {
  actor: { kind: 'root', id: '', name: 'operator key' },
  grant: { holder: 'operator', scopes: ['*'] },
  confinement: null,
};

/**
 * Tells who a request is from, by its `Authorization: Bearer <key or token>` (RFC 6750). Keys and tokens are looked up for
 * each request, after it has come: once whoever revokes one has the answer, no process lets it in any more.
 */
export class Callers {
  readonly #root: Buffer;
  readonly #keys: FreshLookups<ApiKey>;
  readonly #tokens: FreshLookups<PortalTokenState>;
  readonly #uses = new Map<string, number>();

  constructor(private readonly ports: CallerPorts) {
    this.#root = digest(ports.operatorKey);
    this.#keys = new FreshLookups((digests) => ports.keys.find(digests));
    this.#tokens = new FreshLookups(async (names) => {
      const states = await ports.tokens.states(names.map(tokenNamed));
      return new Map(states.map((one) => [nameOf(one), one]));
    });
  }

  /** At once where nothing has to be looked up. Throws, or rejects with, a 401. */
  authenticate(authorization: string | undefined): Caller | Promise<Caller> {
    const given = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
    if (given === undefined) throw refusal('unauthorised', 'required', 'It must be given as Bearer <key>.');
    // In constant time: digests have one length whatever was sent.
    if (this.ports.operatorKey !== '' && timingSafeEqual(digest(given), this.#root)) return root;
    const kept = keptKeyOf(given);
    if (kept !== null) return this.#holderOf(kept.id, kept.digest);
    if (given.split('.').length === 3) return this.#bearerOf(given);
    throw unknown();
  }

  async #holderOf(id: string, keyDigest: Buffer): Promise<Caller> {
    const at = this.ports.now();
    const key = await this.#keys.find(keyDigest.toString('hex'));
    if (key === null) throw unknown();
    if (key.revokedAt !== null) throw refusal('key-revoked', 'revoked', 'It was revoked.');
    if (key.expiresAt !== null && key.expiresAt <= at) throw refusal('key-expired', 'expired', 'It has expired.');
    this.#noteUse(key, at);
    const { tenantId, scopes, name: title } = key;
    const holder = tenantId === null ? 'operator' : 'tenant';
    return {
      actor: { kind: holder, id, name: title },
      grant: { holder, scopes },
      confinement: tenantId === null ? null : { tenantId, endpointIds: null },
    };
  }

  async #bearerOf(token: string): Promise<Caller> {
    const verified = verifyPortalToken(this.ports.portalKeys, token, this.ports.now() / 1_000);
    if ('fault' in verified) throw tokenRefusal(verified.fault);
    const { tokenId, tenantId, scopes, endpointIds, generation } = verified.claims;
    const state = await this.#tokens.find(nameOf(verified.claims));
    if (state === null || state.revoked || state.generation !== generation)
      throw refusal('token-revoked', 'revoked', 'It was revoked: have the platform mint another.');
    return {
      actor: { kind: 'portal', id: tokenId, name: '' },
      grant: { holder: 'portal', scopes },
      confinement: { tenantId, endpointIds },
    };
  }

  #noteUse(key: ApiKey, at: number): void {
    const noted = this.#uses.get(key.id) ?? -Infinity;
    if (at - noted < useMs) return;
    this.#uses.delete(key.id);
    this.#uses.set(key.id, at);
    const [oldest] = this.#uses.keys();
    if (this.#uses.size > mostKept && oldest !== undefined) this.#uses.delete(oldest);
    const { keys, log } = this.ports;
    keys.noteUse(key, at).catch((err: unknown) => log.warn({ err }, 'the use of a key was not noted'));
  }
}

const nameOf = ({ tenantId, tokenId }: { readonly tenantId: string; readonly tokenId: string }): string =>
  `${tokenId} ${tenantId}`;
/** Ids of tokens have no space. */
const tokenNamed = (name: string): { tokenId: string; tenantId: string } => {
  const space = name.indexOf(' ');
  return { tokenId: name.slice(0, space), tenantId: name.slice(space + 1) };
};

function tokenRefusal(fault: PortalTokenFault): AppError {
  switch (fault) {
    case 'expired':
      return refusal('token-expired', 'expired', 'It has expired: have the platform mint another.');
    case 'not-yet':
    case 'malformed':
    case 'unknown-key':
    case 'forged':
      // How close it came is nobody's business.
      return unknown();
  }
}

const unknown = (): AppError => refusal('unauthorised', 'invalid', 'This key is not known.');

function refusal(code: ProblemCode, fault: string, detail: string): AppError {
  const error = fault === 'required' ? '' : ', error="invalid_token"';
  return new AppError(code, 'Send Authorization: Bearer with a key, or a portal token, that is in force.', {
    errors: [{ header: 'authorization', code: fault, detail }],
    headers: { 'www-authenticate': `Bearer realm="posthorn"${error}` },
  });
}
