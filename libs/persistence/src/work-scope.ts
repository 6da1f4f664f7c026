import { AsyncLocalStorage } from 'node:async_hooks';
import type { AuditActor } from '#libs/core';

/** Whose rows may be seen and changed: those of one tenant, of some of its endpoints if they are named. */
export interface Confinement {
  readonly tenantId: string;
  readonly endpointIds: readonly string[] | null;
}

/** On whose behalf something is done. */
export interface WorkScope {
  /** Null: the platform's, all rows. */
  readonly confinement: Confinement | null;
  readonly actor: AuditActor;
  /** Address that the request came from; null: there was none. */
  readonly ip: string | null;
  readonly requestId: string | null;
}

const posthornItself: WorkScope = {
  confinement: null,
  actor: { kind: 'system', id: '', name: 'Posthorn' },
  ip: null,
  requestId: null,
};

const scopes = new AsyncLocalStorage<WorkScope>();

/**
 * Runs `work`, and all that it starts, in this scope: every session and transaction of a `Database` obeys it, so that no
 * repository can forget it, and the audit log names its actor. What outlives a request and serves others (a cache, a
 * timer) takes `database.unconfined`.
 */
export const inScope = <T>(scope: WorkScope, work: () => T): T => scopes.run(scope, work);

/** Runs `work` as Posthorn itself does, whoever's request has set it off. */
export const asPosthorn = <T>(work: () => T): T => scopes.run(posthornItself, work);

/** Outside of any scope: Posthorn itself, as background jobs are. */
export const scopeNow = (): WorkScope => scopes.getStore() ?? posthornItself;
