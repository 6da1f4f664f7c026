import {
  awaitsVerification,
  judged,
  mostTries,
  nextTryInMs,
  type EndpointVerification,
  type VerificationVerdict,
} from '#libs/core';
import type { Database, Session } from './database.js';
import type { Endpoint } from './endpoint.js';
import { changeVerification, findEndpoint } from './endpoint-repository.js';
import { noteAudit } from './note-audit.js';

/** A request that was made to verify an endpoint, and what came of it. What is secret in it is taken out before. */
export interface VerificationExchange {
  /** Unix milliseconds. */
  readonly at: number;
  readonly request: {
    readonly method: string;
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
  };
  readonly response: {
    readonly status: number;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
    readonly truncated: boolean;
  } | null;
  readonly error: { readonly kind: string; readonly message: string } | null;
  readonly durationMs: number;
}

/** An endpoint that nobody else tries to verify meanwhile. */
export interface ClaimedTry {
  readonly endpoint: Endpoint;
  readonly verification: EndpointVerification;
  readonly claim: string;
  /** How many were made without anybody asking for it, this one included; null: somebody has asked for it. */
  readonly tries: number | null;
}

export type ClaimResult =
  | { readonly outcome: 'claimed'; readonly claimed: ClaimedTry }
  | { readonly outcome: 'not-found' }
  /** It need not be verified. */
  | { readonly outcome: 'none' }
  /** It is already. */
  | { readonly outcome: 'verified' }
  /** Another is at it. */
  | { readonly outcome: 'busy' };

export interface SettledTry {
  readonly claimed: Pick<ClaimedTry, 'claim' | 'tries'> & {
    readonly endpoint: Pick<Endpoint, 'endpointId'>;
    readonly verification: Pick<EndpointVerification, 'round'>;
  };
  readonly verdict: VerificationVerdict;
  /** That was asked for; null: none was. */
  readonly origin: string | null;
  /** Null: nothing could be sent. */
  readonly exchange: VerificationExchange | null;
}

/** What is known beside the endpoint itself. */
export interface VerificationRecord {
  readonly tries: number;
  /** Unix milliseconds; null: none follows by itself. */
  readonly nextTryAt: number | null;
  readonly last: VerificationExchange | null;
}

/** Longer than any request may take: whoever holds a claim for longer has died. */
const claimMs = 60_000;

const claimOne = /* sql */ `
UPDATE endpoint_verifications SET claim = $3, claimed_until = $5
WHERE endpoint_id = $1 AND round = $2 AND (claimed_until IS NULL OR claimed_until <= $4)
RETURNING endpoint_id
`;
// Due again when the claim is over, should its process die. Tenants take turns, and those under way are turns taken: one with
// many endpoints that do not answer keeps nobody else waiting. Of one tenant, first tries before others.
const claimDue = /* sql */ `
UPDATE endpoint_verifications v SET claim = $1, claimed_until = $3, tries = v.tries + 1,
  due_at = CASE WHEN v.tries + 1 < ${mostTries} THEN $3::timestamptz END
FROM (
  SELECT w.endpoint_id FROM endpoint_verifications w JOIN (
    SELECT o.endpoint_id, row_number() OVER (
      PARTITION BY e.tenant_id ORDER BY coalesce(o.claimed_until > $2, false) DESC, o.tries, o.due_at
    ) AS turn
    FROM endpoint_verifications o JOIN endpoints e ON e.id = o.endpoint_id
    WHERE o.due_at <= $3 AND (o.due_at <= $2 OR o.claimed_until > $2)
  ) AS turns USING (endpoint_id)
  WHERE w.due_at <= $2 AND (w.claimed_until IS NULL OR w.claimed_until <= $2)
  ORDER BY turn, w.tries, w.due_at LIMIT $4
  FOR UPDATE OF w SKIP LOCKED
) due
WHERE v.endpoint_id = due.endpoint_id
RETURNING v.endpoint_id, v.round, v.tries
`;
// One that was asked for leaves the others as they are; any success ends them.
const settle = /* sql */ `
UPDATE endpoint_verifications SET claim = NULL, claimed_until = NULL, last = $4,
  due_at = CASE WHEN $5 THEN NULL WHEN $6 THEN $7::timestamptz ELSE due_at END
WHERE endpoint_id = $1 AND round = $2 AND claim = $3
RETURNING endpoint_id
`;
const release = /* sql */ `
UPDATE endpoint_verifications SET claim = NULL, claimed_until = NULL,
  tries = CASE WHEN $4 THEN tries - 1 ELSE tries END, due_at = CASE WHEN $4 THEN $5::timestamptz ELSE due_at END
WHERE endpoint_id = $1 AND round = $2 AND claim = $3
`;
const endRound = /* sql */ `
UPDATE endpoint_verifications SET due_at = NULL WHERE endpoint_id = $1
`;
const selectRecord = /* sql */ `
SELECT tries, due_at, last FROM endpoint_verifications WHERE endpoint_id = $1
`;

/**
 * Tries to verify endpoints. A row per endpoint says which URL (by the revision that set it) is to be tried, and when; it
 * is made in the transaction that sets the URL. Whoever tries takes a claim on it, sends without a transaction, and
 * settles: a claim that is lost, and a result for a URL that is another one by then, change nothing.
 */
export class EndpointVerifications {
  constructor(private readonly database: Database) {}

  /** Because somebody asks for it: who, is in the audit log from now on. */
  claim(endpointId: string, claim: string, now: number): Promise<ClaimResult> {
    return this.database.transaction(async (session): Promise<ClaimResult> => {
      const endpoint = await findEndpoint(session, endpointId);
      if (endpoint === null) return { outcome: 'not-found' };
      const { verification, tenantId } = endpoint;
      if (verification === null) return { outcome: 'none' };
      if (!awaitsVerification(verification)) return { outcome: 'verified' };
      const { round, method } = verification;
      const rows = await returned(session, claimOne, [endpointId, round, claim, ...span(now)]);
      if (rows.length === 0) return { outcome: 'busy' };
      await noteAudit(session, {
        tenantId,
        at: now,
        action: 'endpoint.verification-requested',
        resource: `endpoint/${endpointId}`,
        before: null,
        after: { method, url: endpoint.url, round },
      });
      return { outcome: 'claimed', claimed: { endpoint, verification, claim, tries: null } };
    });
  }

  /** Those whose time has come, `limit` at most; each goes to one process, whoever asks at the same time. */
  claimDue(claim: string, now: number, limit: number): Promise<ClaimedTry[]> {
    return this.database.unconfined.transaction(async (session) => {
      const rows = await returned(session, claimDue, [claim, ...span(now), limit]);
      const claimed: ClaimedTry[] = [];
      for (const { endpoint_id: endpointId, round, tries } of rows as DueRow[]) {
        const endpoint = await findEndpoint(session, endpointId);
        const verification = endpoint?.verification ?? null;
        // Another URL, set in this moment, has a row of its own by now.
        if (endpoint === null || verification?.round !== round) continue;
        claimed.push({ endpoint, verification, claim, tries });
      }
      return claimed;
    });
  }

  /**
   * Keeps what came of it, with the endpoint's next revision.
   * @returns the endpoint as it is then; null: it has another URL by now, is gone, or the claim went to somebody else
   */
  settle({ claimed, verdict, origin, exchange }: SettledTry, now: number): Promise<Endpoint | null> {
    const { endpoint, verification, claim, tries } = claimed;
    const { endpointId } = endpoint;
    return this.database.transaction(async (session) => {
      let isOurs = false;
      const after = await changeVerification(
        session,
        endpointId,
        async ({ verification: before }) => {
          // The receiver may have called back meanwhile.
          const awaited = before !== null && awaitsVerification(before);
          const next = tries === null ? null : nextTryInMs(tries);
          const rows = await returned(session, settle, [
            endpointId,
            verification.round,
            claim,
            exchange && JSON.stringify(exchange),
            verdict.verified || !awaited,
            tries !== null,
            next === null ? null : new Date(now + next),
          ]);
          isOurs = rows.length > 0;
          return isOurs && awaited ? judged(before, verdict, origin, now) : null;
        },
        now,
      );
      return isOurs ? after : null;
    });
  }

  /** It was not tried after all. */
  async release({ endpoint, verification, claim, tries }: ClaimedTry, now: number): Promise<void> {
    const key = [endpoint.endpointId, verification.round, claim];
    await this.database.unconfined.session.query(release, [...key, tries !== null, new Date(now)]);
  }

  /**
   * A receiver's consent that comes by itself (CloudEvents webhook, section 4.1.3).
   * @returns null: it is for a URL that the endpoint does not have any more
   */
  allow(
    { endpointId, round }: { readonly endpointId: string; readonly round: number },
    { origin, allowedRate }: { readonly origin: string; readonly allowedRate: number | null },
    now: number,
  ): Promise<'verified' | 'already' | null> {
    return this.database.transaction(async (session) => {
      let done: 'verified' | 'already' | null = null;
      await changeVerification(
        session,
        endpointId,
        async ({ verification }) => {
          if (verification?.round !== round) return null;
          done = awaitsVerification(verification) ? 'verified' : 'already';
          if (done === 'already') return null;
          await session.query(endRound, [endpointId]);
          return judged(verification, { verified: true, allowedRate }, origin, now);
        },
        now,
      );
      return done;
    });
  }

  /** Null: nothing is, or was, tried for its present URL. */
  async get(endpointId: string): Promise<VerificationRecord | null> {
    const [row]: { tries: number; due_at: Date | null; last: VerificationExchange | null }[] =
      await this.database.session.query(selectRecord, [endpointId]);
    return row === undefined ? null : { tries: row.tries, nextTryAt: row.due_at?.getTime() ?? null, last: row.last };
  }
}

interface DueRow {
  readonly endpoint_id: string;
  readonly round: number;
  readonly tries: number;
}

const span = (now: number): [Date, Date] => [new Date(now), new Date(now + claimMs)];

/** TypeORM answers an UPDATE with its rows and their count. */
async function returned(session: Session, statement: string, parameters: unknown[]): Promise<object[]> {
  const [rows]: [object[], number] = await session.query(statement, parameters);
  return rows;
}
