import type { Session } from './database.js';

/** Says, in the transaction that changes it, that the record of `key` must be published. Call it with the row locked. */
export async function noteChange(session: Session, key: string, now: number): Promise<void> {
  await session.query('INSERT INTO outbox (key, created_at) VALUES ($1, $2)', [key, new Date(now)]);
}
