import type { Session } from './database.js';
import type { Endpoint } from './endpoint.js';

// Whoever is at the round before loses its claim with it.
const beginRound = /* sql */ `
INSERT INTO endpoint_verifications (endpoint_id, round, due_at) VALUES ($1, $2, $3)
ON CONFLICT (endpoint_id) DO UPDATE SET
  round = EXCLUDED.round, tries = 0, due_at = EXCLUDED.due_at, claim = NULL, claimed_until = NULL, last = NULL
`;

/**
 * Has a new URL or method tried as soon as it is committed, by whichever process sees it first; and nothing tried any more
 * where nothing is to be verified. A part of the transaction that changes the endpoint, with its row locked.
 */
export async function keepRound(session: Session, before: Endpoint | null, after: Endpoint): Promise<void> {
  const { endpointId, verification, revision, updatedAt } = after;
  if (verification?.round === revision) {
    await session.query(beginRound, [endpointId, verification.round, new Date(updatedAt)]);
  } else if (verification === null && (before?.verification ?? null) !== null) {
    await session.query('DELETE FROM endpoint_verifications WHERE endpoint_id = $1', [endpointId]);
  }
}
