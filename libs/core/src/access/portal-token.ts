import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import type { MasterKeys } from '../signing/index.js';

/**
 * Portal tokens: JSON Web Tokens (RFC 7519) signed with HS256 (RFC 7515), for a customer's browser. One algorithm, one
 * issuer, fixed claims: what the header asks for is compared, never obeyed.
 */

export interface PortalClaims {
  /** Names the token in the audit log. */
  readonly tokenId: string;
  readonly tenantId: string;
  readonly scopes: readonly string[];
  /** Only these endpoints; null: all of the tenant's. */
  readonly endpointIds: readonly string[] | null;
  /** Of its tenant's tokens: when that goes up, all that were minted before are void. */
  readonly generation: number;
  /** Unix seconds. */
  readonly issuedAt: number;
  readonly expiresAt: number;
}

/** Keys by the version of the master key that each is derived from: which is what `kid` says. */
export type PortalKeys = ReadonlyMap<number, Uint8Array>;

export type PortalTokenFault = 'malformed' | 'unknown-key' | 'forged' | 'expired' | 'not-yet';

/** Longest life of a token, in seconds. */
export const longestPortalTokenSeconds = 86_400;
/** How far the clocks of two of our processes may differ, in seconds. */
const clockSlack = 60;

const issuer = 'posthorn';
const audience = 'posthorn-portal';

/** Derived with HKDF (RFC 5869), so that a token says nothing of the key that seals secrets. */
export function portalKeysOf(masterKeys: MasterKeys): PortalKeys {
  const derive = (key: Uint8Array): Uint8Array =>
    new Uint8Array(hkdfSync('sha256', key, new Uint8Array(0), 'posthorn portal token', 32));
  return new Map([...masterKeys].map(([version, key]) => [version, derive(key)]));
}

const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
const sign = (key: Uint8Array, signed: string): Buffer => createHmac('sha256', key).update(signed).digest();
const headerOf = (version: number) => ({ alg: 'HS256', typ: 'JWT', kid: String(version) });

/** Signed with the newest key. @throws RangeError when it would live longer than a day */
export function signPortalToken(keys: PortalKeys, claims: PortalClaims): string {
  const version = Math.max(...keys.keys());
  const key = keys.get(version);
  if (key === undefined) throw new RangeError('there is no master key');
  if (claims.expiresAt - claims.issuedAt > longestPortalTokenSeconds)
    throw new RangeError(`a portal token lives ${longestPortalTokenSeconds} s at most`);
  const payload = {
    iss: issuer,
    aud: audience,
    sub: claims.tenantId,
    jti: claims.tokenId,
    iat: claims.issuedAt,
    exp: claims.expiresAt,
    scope: claims.scopes.join(' '),
    gen: claims.generation,
    ...(claims.endpointIds === null ? {} : { endpoints: claims.endpointIds }),
  };
  const signed = `${encode(headerOf(version))}.${encode(payload)}`;
  return `${signed}.${sign(key, signed).toString('base64url')}`;
}

/** @param now Unix seconds */
export function verifyPortalToken(
  keys: PortalKeys,
  token: string,
  now: number,
): { readonly claims: PortalClaims } | { readonly fault: PortalTokenFault } {
  const match = /^([A-Za-z0-9_-]{1,400})\.([A-Za-z0-9_-]{1,8000})\.([A-Za-z0-9_-]{43})$/.exec(token);
  const [, header = '', payload = '', signature = ''] = match ?? [];
  if (match === null) return { fault: 'malformed' };
  const version = [...keys.keys()].find((one) => encode(headerOf(one)) === header);
  const key = version === undefined ? undefined : keys.get(version);
  if (key === undefined) return { fault: 'unknown-key' };
  // 43 letters of base64url are 32 bytes, as the digest is.
  const given = Buffer.from(signature, 'base64url');
  if (!timingSafeEqual(given, sign(key, `${header}.${payload}`))) return { fault: 'forged' };
  const claims = claimsOf(payload);
  if (claims === null) return { fault: 'malformed' };
  if (claims.issuedAt > now + clockSlack) return { fault: 'not-yet' };
  if (claims.expiresAt <= now) return { fault: 'expired' };
  return { claims };
}

/** Ours, since they are signed: null only if another version of Posthorn made them otherwise. */
function claimsOf(payload: string): PortalClaims | null {
  const {
    iss,
    aud,
    sub,
    jti,
    iat,
    exp,
    scope,
    endpoints,
    // Of before there were generations.
    gen = 0,
  } = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as Record<string, unknown>;
  if (iss !== issuer || aud !== audience || typeof sub !== 'string' || sub === '' || typeof jti !== 'string')
    return null;
  if (typeof iat !== 'number' || typeof exp !== 'number' || typeof gen !== 'number' || typeof scope !== 'string')
    return null;
  if (exp - iat > longestPortalTokenSeconds) return null;
  if (endpoints !== undefined && !isTexts(endpoints)) return null;
  return {
    tokenId: jti,
    tenantId: sub,
    scopes: scope.split(' ').filter((one) => one !== ''),
    endpointIds: endpoints ?? null,
    generation: gen,
    issuedAt: iat,
    expiresAt: exp,
  };
}

const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((one) => typeof one === 'string');
