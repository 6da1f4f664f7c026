import type { Database, Session } from './database.js';
import { noteAudit } from './note-audit.js';

/** Whether a portal token still works, beside its signature and its time. */
export interface PortalTokenState {
  /** Of its tenant, now: a token of another one is void. */
  readonly generation: number;
  readonly revoked: boolean;
}

interface TokenName {
  readonly tenantId: string;
  readonly tokenId: string;
}

const selectStates = /* sql */ `
SELECT tenant_id, token_id, coalesce(generation, 0) AS generation, r.token_id IS NOT NULL AS revoked
FROM unnest($1::text[], $2::text[]) AS asked (tenant_id, token_id)
LEFT JOIN portal_generations g USING (tenant_id) LEFT JOIN revoked_portal_tokens r USING (tenant_id, token_id)
`;
const nextGeneration = /* sql */ `
INSERT INTO portal_generations AS g (tenant_id, generation) VALUES ($1, 1)
ON CONFLICT (tenant_id) DO UPDATE SET generation = g.generation + 1 RETURNING generation
`;
/** Tokens are kept nowhere; that one was minted stands in the audit log. */
const selectMinted = /* sql */ `
SELECT FROM audit_log WHERE resource = $2 AND tenant_id = $1 AND action = 'portal-token.minted' LIMIT 1
`;

const resourceOf = (tokenId: string): string => `portal-token/${tokenId}`;

/** Which portal tokens work no more. Each change and its audit entry are one transaction. */
export class PortalTokenRegister {
  constructor(private readonly database: Database) {}

  /** Of each one that is asked for, in their order, whoever asks. */
  async states(tokens: readonly TokenName[]): Promise<readonly (TokenName & PortalTokenState)[]> {
    const rows: { tenant_id: string; token_id: string; generation: number; revoked: boolean }[] =
      await this.database.unconfined.session.query(selectStates, [
        tokens.map(({ tenantId }) => tenantId),
        tokens.map(({ tokenId }) => tokenId),
      ]);
    return rows.map(({ tenant_id: tenantId, token_id: tokenId, ...state }) => ({ tenantId, tokenId, ...state }));
  }

  /** What a token that is minted now has to name. */
  async generationOf(tenantId: string): Promise<number> {
    const [row]: { generation: number }[] = await this.database.session.query(
      'SELECT generation FROM portal_generations WHERE tenant_id = $1',
      [tenantId],
    );
    return row?.generation ?? 0;
  }

  /** For good. @returns whether the tenant ever had such a token */
  revoke({ tenantId, tokenId }: TokenName, now: number): Promise<boolean> {
    return this.database.transaction(async (session) => {
      const minted: unknown[] = await session.query(selectMinted, [tenantId, resourceOf(tokenId)]);
      if (minted.length === 0) return false;
      const inserted: unknown[] = await session.query(
        `INSERT INTO revoked_portal_tokens (tenant_id, token_id, revoked_at) VALUES ($1, $2, $3)
         ON CONFLICT DO NOTHING RETURNING token_id`,
        [tenantId, tokenId, new Date(now)],
      );
      const [before, after] = [{ id: tokenId }, null];
      const note = { tenantId, at: now, resource: resourceOf(tokenId), before, after };
      if (inserted.length > 0) await noteAudit(session, { ...note, action: 'portal-token.revoked' });
      return true;
    });
  }

  /** All that were minted before. */
  async revokeAll(tenantId: string, now: number): Promise<void> {
    await this.database.transaction(async (session) => {
      const generation = await voidPortalTokens(session, tenantId);
      const [before, after] = [{ generation: generation - 1 }, { generation }];
      const note = { tenantId, at: now, resource: `tenant/${tenantId}`, before, after };
      await noteAudit(session, { ...note, action: 'portal-tokens.revoked' });
    });
  }

  /** Clears away revocations of tokens that have expired by now. @param before Unix ms: when those were revoked */
  async forgetRevoked(before: number): Promise<void> {
    await this.database.session.query('DELETE FROM revoked_portal_tokens WHERE revoked_at < $1', [new Date(before)]);
  }
}

/** @returns the generation of its tokens from now on */
export async function voidPortalTokens(session: Session, tenantId: string): Promise<number> {
  const [row]: { generation: number }[] = await session.query(nextGeneration, [tenantId]);
  return row?.generation ?? 0;
}
