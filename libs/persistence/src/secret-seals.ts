import type { Database, Session } from './database.js';
import { columns } from './columns.js';
import { noteChange } from './note-change.js';

/** How far a pass over all endpoints has come. */
export interface ResealPass {
  /** The endpoint that was looked at last; null: there are no more. */
  readonly next: string | null;
  /** Secrets that were sealed anew, credentials among them, and their endpoints. */
  readonly secrets: number;
  readonly endpoints: number;
  /** Endpoints that somebody is changing just now: their turn comes in the next pass. */
  readonly busy: number;
  /** Secrets that could not be, and why. */
  readonly failures: readonly { readonly endpointId: string; readonly secretId: string; readonly reason: string }[];
}

/** @returns the same secret, sealed anew. Throws when it cannot be. */
export type Reseal = (ciphertext: string, endpointId: string) => string;

// Each part in the order of its index, so that a pass reads no row twice.
const selectOther = /* sql */ `
SELECT id FROM (
  (SELECT DISTINCT endpoint_id AS id FROM endpoint_secrets
    WHERE endpoint_id > $1 AND NOT starts_with(ciphertext, $2) ORDER BY endpoint_id LIMIT $3)
  UNION
  (SELECT id FROM endpoints
    WHERE id > $1 AND (NOT starts_with(sealed_authentication, $2) OR NOT starts_with(sealed_client_certificate, $2))
    ORDER BY id LIMIT $3)
) AS other ORDER BY id LIMIT $3
`;

// Nobody is waited for, so it deadlocks with nobody.
const lockEndpoints = /* sql */ `
SELECT id FROM endpoints WHERE id = ANY($1::text[]) ORDER BY id FOR UPDATE SKIP LOCKED
`;

/** Everything that is sealed; ids of secrets begin with `sec_`, so credentials need none but their names. */
const sealed = /* sql */ `
  SELECT endpoint_id, id, ciphertext, place FROM endpoint_secrets
  UNION ALL
  SELECT id, 'authentication', sealed_authentication, 0 FROM endpoints WHERE sealed_authentication IS NOT NULL
  UNION ALL
  SELECT id, 'client-certificate', sealed_client_certificate, 0 FROM endpoints WHERE sealed_client_certificate IS NOT NULL
`;

const selectSecrets = /* sql */ `
SELECT endpoint_id AS "endpointId", id AS "secretId", ciphertext FROM (${sealed}) AS sealed
WHERE endpoint_id = ANY($1::text[]) AND NOT starts_with(ciphertext, $2) ORDER BY endpoint_id, place, id
`;

const anew = /* sql */ `unnest($1::text[], $2::text[], $3::text[]) AS anew (endpoint_id, id, ciphertext)`;
const updates = [
  /* sql */ `
  UPDATE endpoint_secrets s SET ciphertext = anew.ciphertext FROM ${anew}
  WHERE s.endpoint_id = anew.endpoint_id AND s.id = anew.id
  `,
  /* sql */ `
  UPDATE endpoints e SET sealed_authentication = anew.ciphertext FROM ${anew}
  WHERE e.id = anew.endpoint_id AND anew.id = 'authentication'
  `,
  /* sql */ `
  UPDATE endpoints e SET sealed_client_certificate = anew.ciphertext FROM ${anew}
  WHERE e.id = anew.endpoint_id AND anew.id = 'client-certificate'
  `,
];

const countSeals = /* sql */ `
SELECT split_part(ciphertext, '.', 1) AS seal, count(*)::integer AS count FROM (${sealed}) AS sealed GROUP BY 1 ORDER BY 1
`;

interface SecretRow {
  readonly endpointId: string;
  readonly secretId: string;
  readonly ciphertext: string;
}

/**
 * What the secrets and credentials of all endpoints are sealed with. Sealing anew is no change of an endpoint: its revision stays, and so does
 * the time of its last change. Its record is published once more.
 */
export class SecretSeals {
  constructor(private readonly database: Database) {}

  /** Secrets by the beginning of their ciphertext, up to the dot: `e2` is an envelope under master key 2. */
  async counts(): Promise<ReadonlyMap<string, number>> {
    const rows: { seal: string; count: number }[] = await this.database.session.query(countSeals);
    return new Map(rows.map(({ seal, count }) => [seal, count]));
  }

  /** Records that wait to be published. */
  async unpublished(): Promise<number> {
    const [row]: { count: number }[] = await this.database.session.query(
      'SELECT count(*)::integer AS count FROM outbox',
    );
    return row?.count ?? 0;
  }

  /**
   * Seals anew, in one transaction, the secrets of the next endpoints that have one whose ciphertext does not begin with
   * `seal`. Holds their rows, as every change does.
   * @param after where the pass stands: `next` of the call before; empty at its start
   */
  async reseal(
    reseal: Reseal,
    {
      after,
      seal,
      limit,
      now,
    }: { readonly after: string; readonly seal: string; readonly limit: number; readonly now: number },
  ): Promise<ResealPass> {
    return this.database.transaction(async (session): Promise<ResealPass> => {
      const found = await idsOf(session, selectOther, [after, seal, limit]);
      const held = await idsOf(session, lockEndpoints, [found]);
      const rows: SecretRow[] = await session.query(selectSecrets, [held, seal]);
      const { done, failures } = resealed(rows, reseal);
      const cells = [
        (row: SecretRow) => row.endpointId,
        (row: SecretRow) => row.secretId,
        (row: SecretRow) => row.ciphertext,
      ];
      for (const update of updates) await session.query(update, columns(done, cells));
      const endpoints = new Set(done.map(({ endpointId }) => endpointId));
      for (const endpointId of endpoints) await noteChange(session, endpointId, now);
      return {
        next: found.at(-1) ?? null,
        secrets: done.length,
        endpoints: endpoints.size,
        busy: found.length - held.length,
        failures,
      };
    });
  }
}

async function idsOf(session: Session, sql: string, parameters: readonly unknown[]): Promise<string[]> {
  const rows: { id: string }[] = await session.query(sql, [...parameters]);
  return rows.map(({ id }) => id);
}

function resealed(rows: readonly SecretRow[], reseal: Reseal): { done: SecretRow[]; failures: ResealPass['failures'] } {
  const done: SecretRow[] = [];
  const failures: ResealPass['failures'][number][] = [];
  for (const row of rows) {
    const { endpointId, secretId } = row;
    try {
      done.push({ ...row, ciphertext: reseal(row.ciphertext, endpointId) });
    } catch (error) {
      failures.push({ endpointId, secretId, reason: error instanceof Error ? error.message : String(error) });
    }
  }
  return { done, failures };
}
