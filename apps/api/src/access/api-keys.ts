import { apiKeyBytes, mayGrant, newApiKey, scopeFault, type Grant } from '#libs/core';
import type { ApiKey, ApiKeys } from '#libs/persistence';
import type { z } from 'zod';
import { checkId, dateTime, dateTimeOrNull, listed } from '../http/list-query.js';
import { AppError, notFound, type Fault } from '../problem/app-error.js';
import { unknownTenant } from '../replays/replays.js';
import type { CreatedKeyAnswer, CreateKeyBody, KeyAnswer, listKeysQuery } from './api-key.dto.js';
import type { Caller } from './caller.js';

export interface KeyPorts {
  readonly keys: ApiKeys;
  readonly now: () => number;
  readonly randomBytes: (count: number) => Uint8Array;
}

/** Keys of this API, as people make and revoke them. */
export class KeyDesk {
  constructor(private readonly ports: KeyPorts) {}

  async create(body: CreateKeyBody, caller: Caller): Promise<CreatedKeyAnswer> {
    const { keys, now, randomBytes } = this.ports;
    const own = caller.confinement?.tenantId ?? null;
    const tenantId = body.tenantId ?? own;
    if (own !== null && (tenantId !== own || body.tenantId === null)) throw unknownTenant(tenantId ?? '');
    const holder = tenantId === null ? 'operator' : 'tenant';
    checkGrant(caller.grant, { holder, scopes: body.scopes });
    const expiresAt = body.expiresAt ?? null;
    if (expiresAt !== null && expiresAt <= now()) {
      throw new AppError('invalid-body', 'One thing does not fit.', {
        errors: [{ pointer: '/expiresAt', code: 'invalid', detail: 'Must lie in the future.' }],
      });
    }
    const { key, id, digest } = newApiKey(holder, randomBytes(apiKeyBytes));
    const { name, scopes } = body;
    const createdBy = caller.actor.id;
    const created = await keys.create({ id, digest, tenantId, name, scopes, expiresAt, createdBy }, now());
    if (created === null) throw unknownTenant(tenantId ?? '');
    return { ...answerOf(created), key };
  }

  async list(query: z.output<typeof listKeysQuery>): Promise<{ data: KeyAnswer[]; nextCursor: string | null }> {
    const { data, nextCursor } = await listed(() => this.ports.keys.list(query, this.ports.now()));
    return { data: data.map(answerOf), nextCursor };
  }

  async get(id: string): Promise<KeyAnswer> {
    const found = await this.ports.keys.get(checkId('key', id));
    if (found === null) throw notFound('key', id);
    return answerOf(found);
  }

  /** Once this has resolved, no process lets it in: see Callers. */
  async revoke(id: string): Promise<void> {
    const revoked = await this.ports.keys.revoke(checkId('key', id), this.ports.now());
    if (revoked === null) throw notFound('key', id);
  }
}

/** Throws what is wrong with scopes that a caller wants to hand on. */
export function checkGrant(granter: Grant, grant: Grant): void {
  const errors = grant.scopes.flatMap((text, i): Fault[] => {
    const detail = scopeFault(grant.holder, text);
    return detail === null ? [] : [{ pointer: `/scopes/${i}`, code: 'not-one-of', detail }];
  });
  if (errors.length > 0) throw new AppError('invalid-body', 'These scopes cannot be given.', { errors });
  const beyond = grant.scopes.flatMap((text, i): Fault[] => {
    if (mayGrant(granter, { ...grant, scopes: [text] })) return [];
    return [{ pointer: `/scopes/${i}`, code: 'beyond-own', detail: 'You do not hold all of it yourself.' }];
  });
  if (beyond.length > 0) throw new AppError('forbidden', 'Nobody gives more than they have.', { errors: beyond });
}

const answerOf = (key: ApiKey): KeyAnswer => ({
  id: key.id,
  tenantId: key.tenantId,
  name: key.name,
  scopes: [...key.scopes],
  expiresAt: dateTimeOrNull(key.expiresAt),
  revokedAt: dateTimeOrNull(key.revokedAt),
  lastUsedAt: dateTimeOrNull(key.lastUsedAt),
  createdAt: dateTime(key.createdAt),
  createdBy: key.createdBy === '' ? null : key.createdBy,
});
