export { InvalidCursor } from './cursor.js';
export { connectDatabase, type Database } from './database.js';
export { DeliveryLog, type DeliveryFilter, type EndpointStats } from './delivery-log.js';
export type { AttemptRecord, DeliveryRecord, DeliveryStatus } from './delivery-record.js';
export type { Endpoint } from './endpoint.js';
export {
  EndpointRepository,
  type EndpointChanges,
  type NewEndpoint,
  type UpdateResult,
} from './endpoint-repository.js';
export { HaltedKeys, type HaltedKey } from './halted-keys.js';
export { migrate } from './migrate.js';
export { Outbox, type ConfigurationChange } from './outbox.js';
export type { Page, PageRequest } from './page.js';
export {
  PositionConflict,
  Projection,
  type Advance,
  type DisableWish,
  type LoggedAttempt,
  type LoggedDeadLetter,
  type ProjectionBatch,
  type StoredPosition,
  UnstorableRows,
} from './projection.js';
export { TenantRepository, type Tenant } from './tenant-repository.js';
