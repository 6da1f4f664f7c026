import {
  auditPrefix,
  replayPrefix,
  tenantKey,
  transformationPrefix,
  type AuditEntry,
  type EndpointConfig,
  type ReplayConfig,
  type TenantConfig,
  type TransformationConfig,
} from '#libs/contracts';
import { recordsAt } from './audit-records.js';
import type { Database, Session } from './database.js';
import { tenantEntity } from './entities.js';
import { findEndpoint } from './endpoint-repository.js';
import { publishedEndpoint } from './published-endpoint.js';
import { resolutionsOf } from './halt-resolutions.js';
import { configOf } from './replay-rows.js';
import { findReplay } from './replays.js';
import { configOfTransformation, findTransformation } from './transformations.js';

/**
 * The newest state of one record of the endpoints topic; `config` null: deleted (a replay: ended), append a tombstone. Or an
 * entry of the audit log, for the audit topic, keyed by its tenant.
 */
export type ConfigurationChange =
  | { readonly kind: 'endpoint'; readonly key: string; readonly config: EndpointConfig | null }
  | { readonly kind: 'tenant'; readonly key: string; readonly config: TenantConfig | null }
  | { readonly kind: 'replay'; readonly key: string; readonly config: ReplayConfig | null }
  | { readonly kind: 'transformation'; readonly key: string; readonly config: TransformationConfig | null }
  | { readonly kind: 'audit'; readonly key: string; readonly config: AuditEntry };

/** `busy`: another process is publishing; try again in a moment. `more`: there may be further changes. */
export type PublishOutcome =
  { readonly outcome: 'busy' } | { readonly outcome: 'published'; readonly changes: number; readonly more: boolean };

/**
 * Appends `changes` to their topics and resolves when all are acknowledged. `held` answers false when the right to
 * append may have gone to another process: pass it to `RecordSender.send`.
 */
export type Publish = (changes: readonly ConfigurationChange[], held: () => boolean) => Promise<void>;

const publisherLock = 7_406_002;
/** Well below the time after which the server ends our transaction. */
const holdMs = 20_000;
const serverEndsAfterMs = 40_000;

/**
 * Carries changes of configuration from Postgres to the log. A row says only that a key changed; what is published is the
 * key's newest committed state. One process publishes at a time (an advisory lock that ends with its transaction), so per
 * key each state in the topic is at least as new as the one before it, though ids commit out of order and changes may be
 * merged. A crash repeats a publication; it never leaves one out.
 */
export class Outbox {
  private readonly database: Database;

  constructor(
    database: Database,
    private readonly monotonic: () => number = () => performance.now(),
    private readonly now: () => number = Date.now,
  ) {
    // A request may set it off, but it publishes for everybody.
    this.database = database.unconfined;
  }

  /** Publishes up to `limit` changes, if no other process is at it. Rejects when `publish` does; nothing is lost by that. */
  async publishPending(publish: Publish, limit = 500): Promise<PublishOutcome> {
    // Almost always there is nothing: that costs one look at an empty table.
    if (!(await this.hasPending())) return { outcome: 'published', changes: 0, more: false };
    const until = this.monotonic() + holdMs;
    let begun: readonly string[] = [];
    try {
      return await this.database.transaction(async (session): Promise<PublishOutcome> => {
        await session.query(`SET LOCAL idle_in_transaction_session_timeout = ${serverEndsAfterMs}`);
        const [lock]: { taken: boolean }[] = await session.query('SELECT pg_try_advisory_xact_lock($1) AS taken', [
          publisherLock,
        ]);
        if (lock?.taken !== true) return { outcome: 'busy' };
        const rows: { id: string; key: string }[] = await session.query(
          'SELECT id, key FROM outbox ORDER BY id LIMIT $1',
          [limit],
        );
        const keys = [...new Set(rows.map(({ key }) => key))];
        // Read after the rows: so the state is at least as new as every row that is deleted below.
        const changes: ConfigurationChange[] = [];
        const entries = await recordsAt(session, keys);
        for (const key of keys) {
          // What was added never changes, so it is read in one go.
          if (!key.startsWith(auditPrefix)) changes.push(await newestState(session, key, this.now()));
        }
        for (const [key, config] of entries) changes.push({ kind: 'audit', key, config });
        begun = keys;
        if (changes.length > 0) await publish(changes, () => this.monotonic() < until);
        await session.query('DELETE FROM outbox WHERE id = ANY($1::bigint[])', [rows.map(({ id }) => id)]);
        return { outcome: 'published', changes: changes.length, more: rows.length === limit };
      });
    } catch (error) {
      if (begun.length > 0) await this.noteAgain(begun, error);
      throw error;
    }
  }

  private async hasPending(): Promise<boolean> {
    const [row]: { pending: boolean }[] = await this.database.session.query(
      'SELECT EXISTS (SELECT FROM outbox) AS pending',
    );
    return row?.pending === true;
  }

  /**
   * It failed while records may have been on their way: another process may have published newer states before ours
   * arrived. So these keys are published once more, unless that is to come anyway - which can only be told while nobody
   * publishes.
   */
  private async noteAgain(keys: readonly string[], cause: unknown): Promise<void> {
    try {
      await this.database.transaction(async (session) => {
        await session.query('SELECT pg_advisory_xact_lock($1)', [publisherLock]);
        await session.query(noteAgain, [keys]);
      });
    } catch (error) {
      throw new AggregateError([cause, error], 'the outbox was not published, and its keys could not be noted again');
    }
  }
}

const noteAgain = /* sql */ `
INSERT INTO outbox (key, created_at)
SELECT again.key, now() FROM unnest($1::text[]) AS again (key)
WHERE NOT EXISTS (SELECT FROM outbox WHERE outbox.key = again.key)
`;

const tenantPrefix = tenantKey('');

async function newestState(session: Session, key: string, now: number): Promise<ConfigurationChange> {
  if (key.startsWith(tenantPrefix)) {
    const tenant = await session.findOneBy(tenantEntity, { id: key.slice(tenantPrefix.length) });
    const config = tenant && { tenantId: tenant.id, name: tenant.name, updatedAt: tenant.updatedAt };
    return { kind: 'tenant', key, config };
  }
  if (key.startsWith(replayPrefix)) {
    const replay = await findReplay(session, key);
    return { kind: 'replay', key, config: replay && configOf(replay) };
  }
  if (key.startsWith(transformationPrefix)) {
    const found = await findTransformation(session, key.slice(transformationPrefix.length));
    return { kind: 'transformation', key, config: found && configOfTransformation(found) };
  }
  const endpoint = await findEndpoint(session, key);
  if (endpoint === null) return { kind: 'endpoint', key, config: null };
  return { kind: 'endpoint', key, config: publishedEndpoint(endpoint, await resolutionsOf(session, key, now)) };
}
