import { signPortalToken, type PortalKeys } from '#libs/core';
import {
  noteAudit,
  type Database,
  type EndpointRepository,
  type PortalTokenRegister,
  type TenantRepository,
} from '#libs/persistence';
import { checkId, dateTime } from '../http/list-query.js';
import { AppError, notFound, type Fault } from '../problem/app-error.js';
import type { CreatePortalTokenBody, PortalTokenAnswer } from './api-key.dto.js';
import { checkGrant } from './api-keys.js';
import type { Caller } from './caller.js';

export interface PortalTokenPorts {
  readonly tenants: Pick<TenantRepository, 'get'>;
  readonly endpoints: Pick<EndpointRepository, 'get'>;
  readonly register: Pick<PortalTokenRegister, 'generationOf' | 'revoke' | 'revokeAll'>;
  readonly database: Pick<Database, 'transaction'>;
  readonly keys: PortalKeys;
  readonly now: () => number;
  readonly newId: () => string;
}

/** Mints and revokes tokens for customers' browsers. None is kept: the audit log says that it was minted. */
export class PortalTokens {
  constructor(private readonly ports: PortalTokenPorts) {}

  async mint(tenantId: string, body: CreatePortalTokenBody, caller: Caller): Promise<PortalTokenAnswer> {
    const { register, keys, now, newId } = this.ports;
    await this.#mustBe(tenantId);
    // Before anything that takes time: who revokes all meanwhile means this one, too.
    const generation = await register.generationOf(tenantId);
    const { scopes, expiresInSeconds } = body;
    checkGrant(caller.grant, { holder: 'portal', scopes });
    const endpointIds = body.endpointIds ?? null;
    await this.#mustHave(tenantId, endpointIds ?? []);
    const at = now();
    const issuedAt = Math.floor(at / 1_000);
    const expiresAt = issuedAt + expiresInSeconds;
    const tokenId = `ptk_${newId()}`;
    const token = signPortalToken(keys, { tokenId, tenantId, scopes, endpointIds, generation, issuedAt, expiresAt });
    const answer = { id: tokenId, tenantId, scopes, endpointIds, expiresAt: dateTime(expiresAt * 1_000) };
    await this.ports.database.transaction((session) =>
      noteAudit(session, {
        tenantId,
        at,
        action: 'portal-token.minted',
        resource: `portal-token/${tokenId}`,
        before: null,
        after: answer,
      }),
    );
    return { ...answer, token };
  }

  /** For good. */
  async revoke(tenantId: string, tokenId: string): Promise<void> {
    await this.#mustBe(tenantId);
    const name = { tenantId, tokenId: checkId('portal token', tokenId) };
    if (!(await this.ports.register.revoke(name, this.ports.now()))) throw notFound('portal token', tokenId);
  }

  /** All that were minted before. */
  async revokeAll(tenantId: string): Promise<void> {
    await this.#mustBe(tenantId);
    await this.ports.register.revokeAll(tenantId, this.ports.now());
  }

  async #mustBe(tenantId: string): Promise<void> {
    const tenant = await this.ports.tenants.get(checkId('tenant', tenantId));
    if (tenant === null) throw notFound('tenant', tenantId);
  }

  async #mustHave(tenantId: string, endpointIds: readonly string[]): Promise<void> {
    const errors: Fault[] = [];
    for (const [i, id] of endpointIds.entries()) {
      if ((await this.ports.endpoints.get(id))?.tenantId === tenantId) continue;
      const detail = 'The tenant has no such endpoint.';
      errors.push({ pointer: `/endpointIds/${i}`, code: 'unknown-endpoint', detail });
    }
    if (errors.length > 0) throw new AppError('invalid-body', 'The tenant does not have all of these.', { errors });
  }
}
