import pg from 'pg';
import { DataSource, type EntityManager } from 'typeorm';
import { confine, confinedSession } from './confinement.js';
import { entities } from './entities.js';
import { scopeNow, type Confinement } from './work-scope.js';

/** What a repository works with: the pool, or one transaction on it. */
export type Session = EntityManager;

/**
 * A pool of connections to PostgreSQL. Pass it to the repositories; nothing else is done with it. In a scope that is
 * confined to a tenant (`inScope`) every session and transaction sees that tenant's rows alone: PostgreSQL holds it to that.
 */
export class Database {
  constructor(private readonly source: DataSource) {}

  /** Outside of a transaction. In a confined scope each statement is one of its own, so nothing is locked by it for long. */
  get session(): Session {
    const confinement = this.confinement();
    return confinement === null ? this.source.manager : confinedSession(this.source, confinement);
  }

  /** For what serves everybody, whoever's request it was that set it off: the outbox, caches, keys that are looked up. */
  get unconfined(): Database {
    return new UnconfinedDatabase(this.source);
  }

  /** Runs `work` in one transaction (READ COMMITTED), rolled back if it throws. */
  transaction<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const confinement = this.confinement();
    if (confinement === null) return this.source.transaction(work);
    return this.source.transaction(async (session) => {
      await confine(session, confinement);
      return work(session);
    });
  }

  /** `transaction`, confined to a tenant whatever the scope is. */
  asTenant<T>(tenantId: string, work: (session: Session) => Promise<T>): Promise<T> {
    return this.source.transaction(async (session) => {
      await confine(session, { tenantId, endpointIds: null });
      return work(session);
    });
  }

  protected confinement(): Confinement | null {
    return scopeNow().confinement;
  }

  /** Resolves when the server answers; rejects with the reason otherwise. */
  async ping(): Promise<void> {
    await this.source.query('SELECT 1');
  }

  /** Waits for queries under way, then closes all connections. Idempotent. */
  async close(): Promise<void> {
    if (this.source.isInitialized) await this.source.destroy();
  }
}

class UnconfinedDatabase extends Database {
  protected override confinement(): null {
    return null;
  }
}

/**
 * A connection that breaks while it is checked out and idle (a transaction that waits for Kafka) emits `error` twice, and
 * TypeORM listens only once: without a listener of ours the second one ends the process. Who uses the connection learns
 * of it by its next query.
 */
class PatientPool extends pg.Pool {
  constructor(config?: pg.PoolConfig) {
    super(config);
    this.on('connect', (client) => client.on('error', () => undefined));
    // Given back with a query that was given up: the next user would wait behind it. Ended, the pool does not keep it.
    this.on('release', (_error, client) => {
      const member = client as PoolMember;
      if (member._getActiveQuery() !== null) void member.end();
    });
  }
}

/** pg has no public word for a query that is still on its way. */
interface PoolMember extends pg.PoolClient {
  _getActiveQuery(): object | null;
  end(): Promise<void>;
}

export interface ConnectOptions {
  /** Most connections at once. Default 10. */
  readonly poolSize?: number;
  /** How long a server that does not answer is waited for, in milliseconds. Default 30,000. */
  readonly patienceMs?: number;
  /** Longest time that one statement may take, in milliseconds; 0: no limit. Default 60,000. */
  readonly statementTimeoutMs?: number;
  /**
   * How long the server keeps a transaction that says nothing, in milliseconds. Then it ends the connection, so that nobody
   * waits for the locks of a process that froze, or of a machine that is gone. Default: no limit.
   */
  readonly abandonedAfterMs?: number;
}

/**
 * For dispatchers: a partition waits for each answer. A call rejects after 5 s without a connection, and 10 s without an
 * answer (15 s if the server has gone silent, twice that in a transaction).
 */
export const promptAnswers: ConnectOptions = {
  poolSize: 4,
  statementTimeoutMs: 10_000,
  abandonedAfterMs: 10_000,
};

/**
 * Connects to PostgreSQL 15 or later. A server that is not there (yet) is waited for up to `patienceMs`; later on, lost
 * connections are replaced by the pool, and what was under way rejects.
 */
export async function connectDatabase(databaseUrl: string, options: ConnectOptions = {}): Promise<Database> {
  const limitMs = options.statementTimeoutMs ?? 60_000;
  const source = new DataSource({
    type: 'postgres',
    driver: { ...pg, Pool: PatientPool },
    url: databaseUrl,
    entities,
    synchronize: false,
    applicationName: 'posthorn',
    connectTimeoutMS: 5_000,
    poolSize: options.poolSize ?? 10,
    // An idle connection that the server closes must not end the process; the pool replaces it.
    poolErrorHandler: () => undefined,
    // A connection that went silent must not hold a caller for ever.
    extra: {
      keepAlive: true,
      ...(limitMs > 0 ? { statement_timeout: limitMs, query_timeout: limitMs + Math.min(limitMs, 5_000) } : {}),
      idle_in_transaction_session_timeout: options.abandonedAfterMs ?? 0,
    },
  });
  const giveUpAt = performance.now() + (options.patienceMs ?? 30_000);
  for (let waitMs = 100; ; waitMs = Math.min(2_000, waitMs * 2)) {
    try {
      await source.initialize();
      return new Database(source);
    } catch (error) {
      if (!isAbsence(error) || performance.now() + waitMs > giveUpAt) throw error;
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }
}

const absences = new Set(['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EAI_AGAIN', '57P03', '53300']);

/** Whether the server is only not there yet (as against a wrong password or database). */
function isAbsence(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  // A server, or a network, that takes the connection and says nothing has no code.
  if (/^Connection terminated|timeout exceeded when trying to connect/.test(error.message)) return true;
  return 'code' in error && typeof error.code === 'string' && absences.has(error.code);
}
