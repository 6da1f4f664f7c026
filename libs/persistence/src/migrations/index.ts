import { configuration } from './0001-configuration.sql.js';
import { deliveryLog } from './0002-delivery-log.sql.js';
import { flowAndHalts } from './0003-flow-and-halts.sql.js';
import { historyAndDeadLetters } from './0004-history-and-dead-letters.sql.js';
import { rebuild } from './0005-rebuild.sql.js';
import { cursors } from './0006-cursors.sql.js';
import { replays } from './0007-replays.sql.js';
import { content } from './0008-content.sql.js';
import { transformations } from './0009-transformations.sql.js';
import { access } from './0010-access.sql.js';
import { auditLog } from './0011-audit-log.sql.js';
import { confinement } from './0012-confinement.sql.js';
import { endpointSecrets } from './0020-endpoint-secrets.sql.js';
import { endpointCredentials } from './0021-endpoint-credentials.sql.js';
import { endpointVerification } from './0023-endpoint-verification.sql.js';
import { logPartitions } from './0024-log-partitions.sql.js';
import { statsAndAccess } from './0025-stats-and-access.sql.js';

export interface Migration {
  readonly number: number;
  readonly name: string;
  readonly sql: string;
}

/** In order. What is released is never changed: add the next number. */
export const migrations: readonly Migration[] = [
  { number: 1, name: 'configuration', sql: configuration },
  { number: 2, name: 'delivery-log', sql: deliveryLog },
  { number: 3, name: 'flow-and-halts', sql: flowAndHalts },
  { number: 4, name: 'history-and-dead-letters', sql: historyAndDeadLetters },
  { number: 5, name: 'rebuild', sql: rebuild },
  { number: 6, name: 'cursors', sql: cursors },
  { number: 7, name: 'replays', sql: replays },
  { number: 8, name: 'content', sql: content },
  { number: 9, name: 'transformations', sql: transformations },
  { number: 10, name: 'access', sql: access },
  { number: 11, name: 'audit-log', sql: auditLog },
  { number: 12, name: 'confinement', sql: confinement },
  { number: 20, name: 'endpoint-secrets', sql: endpointSecrets },
  { number: 21, name: 'endpoint-credentials', sql: endpointCredentials },
  { number: 23, name: 'endpoint-verification', sql: endpointVerification },
  { number: 24, name: 'log-partitions', sql: logPartitions },
  { number: 25, name: 'stats-and-access', sql: statsAndAccess },
];
