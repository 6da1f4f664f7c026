import { hash, timingSafeEqual } from 'node:crypto';
import { keptKeyOf, verifyPortalToken, type PortalKeys, type PortalTokenFault } from '#libs/core';
import type { ApiKey, ApiKeys } from '#libs/persistence';
import { AppError, type ProblemCode } from '../problem/app-error.js';
import type { Caller } from './caller.js';

export interface CallerPorts {
  /** Of the environment: it may do everything. Empty: there is none. */
  readonly operatorKey: string;
  readonly keys: Pick<ApiKeys, 'find' | 'noteUse'>;
  readonly portalKeys: PortalKeys;
  readonly now: () => number;
  readonly log: { warn(details: object, message: string): void };
}

/** For how long a key is not looked up again: so much later than at once a revocation reaches other processes. */
const freshMs = 1_000;
/** Keys in memory, about 300 bytes each. */
const mostKept = 10_000;

interface Looked {
  readonly at: number;
  readonly key: Promise<ApiKey | null>;
}

const digest = (text: string): Buffer => hash('sha256', text, 'buffer');

const root: Caller = {
  actor: { kind: 'root', id: '', name: 'operator key' },
  grant: { holder: 'operator', scopes: ['*'] },
  confinement: null,
};

/** Tells who a request is from, by its `Authorization: Bearer <key or token>` (RFC 6750). */
export class Callers {
  readonly #root: Buffer;
  readonly #looked = new Map<string, Looked>();

  constructor(private readonly ports: CallerPorts) {
    this.#root = digest(ports.operatorKey);
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

  /** A key that was changed here is looked up anew, also for what is on its way by now. */
  forget(id: string): void {
    for (const name of this.#looked.keys()) if (name.startsWith(`${id} `)) this.#looked.delete(name);
  }

  async #holderOf(id: string, keyDigest: Buffer): Promise<Caller> {
    const { keys, now, log } = this.ports;
    const at = now();
    // By all of the key: its id is no secret.
    const name = `${id} ${keyDigest.toString('base64')}`;
    let looked = this.#looked.get(name);
    if (looked === undefined || at - looked.at >= freshMs) {
      looked = { at, key: keys.find(keyDigest) };
      this.#keep(name, looked);
      looked.key.then(
        (key) =>
          key && keys.noteUse(key, at).catch((err: unknown) => log.warn({ err }, 'the use of a key was not noted')),
        () => this.#looked.delete(name),
      );
    }
    const key = await looked.key;
    if (key === null) throw unknown();
    if (key.revokedAt !== null) throw refusal('key-revoked', 'revoked', 'It was revoked.');
    if (key.expiresAt !== null && key.expiresAt <= at) throw refusal('key-expired', 'expired', 'It has expired.');
    const { tenantId, scopes, name: title } = key;
    const holder = tenantId === null ? 'operator' : 'tenant';
    return {
      actor: { kind: holder, id, name: title },
      grant: { holder, scopes },
      confinement: tenantId === null ? null : { tenantId, endpointIds: null },
    };
  }

  #bearerOf(token: string): Caller {
    const verified = verifyPortalToken(this.ports.portalKeys, token, this.ports.now() / 1_000);
    if ('fault' in verified) throw tokenRefusal(verified.fault);
    const { tokenId, tenantId, scopes, endpointIds } = verified.claims;
    return {
      actor: { kind: 'portal', id: tokenId, name: '' },
      grant: { holder: 'portal', scopes },
      confinement: { tenantId, endpointIds },
    };
  }

  #keep(name: string, looked: Looked): void {
    this.#looked.delete(name);
    this.#looked.set(name, looked);
    const [oldest] = this.#looked.keys();
    if (this.#looked.size > mostKept && oldest !== undefined) this.#looked.delete(oldest);
  }
}

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
