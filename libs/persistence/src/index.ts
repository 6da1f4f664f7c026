export { ApiKeys, type ApiKey, type NewApiKey } from './api-keys.js';
export { AuditLog, type AuditFilter, type ChainReport } from './audit-log.js';
export { CursorRelocation, type CursorPlace } from './cursor-relocation.js';
export type { CursorReason, CursorRecord, StoredCursor } from './cursor-rows.js';
export { decodeCursor, encodeCursor, InvalidCursor } from './cursor.js';
export { CursorConflict, Cursors, type CursorChange } from './cursors.js';
export { connectDatabase, promptAnswers, type ConnectOptions, type Database } from './database.js';
export type { DeadLetterFilter, DeadLetterState } from './dead-letter-filter.js';
export { DeadLetterExtents, type DeadLetterCount, type DeadLetterExtent } from './dead-letter-extents.js';
export { DeadLetters, type DeadLetterRecord } from './dead-letters.js';
export { DeliveryLog, type DeliveryFilter, type EndpointStats } from './delivery-log.js';
export type { AttemptRecord, DeliveryRecord, DeliveryStatus } from './delivery-record.js';
export { noEndpointCredentials, type Endpoint, type ShownAuthentication, type StoredSecret } from './endpoint.js';
export {
  EndpointHistory,
  type ConfigurationInForce,
  type EndpointVersion,
  type PublishedVersion,
} from './endpoint-history.js';
export { EndpointFaultLog, type EndpointFaultCount, type EndpointFaultKind } from './endpoint-faults.js';
export type { EndpointChange, EndpointSnapshot } from './endpoint-version.js';
export {
  EndpointRepository,
  type EndpointChanges,
  type NewBackfill,
  type NewEndpoint,
  type UpdateResult,
} from './endpoint-repository.js';
export {
  EndpointVerifications,
  type ClaimedTry,
  type ClaimResult,
  type SettledTry,
  type VerificationExchange,
  type VerificationRecord,
} from './endpoint-verifications.js';
export { HaltedKeys, type HaltedKey } from './halted-keys.js';
export {
  IdempotencyKeys,
  type Begun,
  type IdempotencyParts,
  type KeptAnswer,
  type KeyedRequest,
} from './idempotency-keys.js';
export { daysOfPart, horizonOf, LogInUse, LogParts, logTables, type DroppedPart, type LogTable } from './log-parts.js';
export { migrate } from './migrate.js';
export { noteAudit, type AuditNote } from './note-audit.js';
export { Outbox, type ConfigurationChange } from './outbox.js';
export type { Page, PageRequest } from './page.js';
export { PortalTokenRegister, type PortalTokenState } from './portal-tokens.js';
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
export {
  RebuildBusy,
  RebuildStore,
  RebuildSuperseded,
  type KeptRows,
  type LogStart,
  type LogStarts,
} from './rebuild.js';
export { publishAll } from './rebuild-outbox.js';
export { ReplayParts, type PastSubscription, type ReplayCheckpoint, type ReplayPart } from './replay-parts.js';
export type {
  DeadLetterSelection,
  NewReplay,
  PartitionWindow,
  Replay,
  ReplayChange,
  ReplayGap,
  ReplayWindow,
} from './replay.js';
export { Replays } from './replays.js';
export { DeliveryStats, type Stats, type StatsQuery } from './stats.js';
export { TenantRepository, type Tenant } from './tenant-repository.js';
export { asPosthorn, inScope, scopeNow, type Confinement, type WorkScope } from './work-scope.js';
export type {
  NewTransformation,
  Transformation,
  TransformationSummary,
  TransformationUpdate,
  TransformationVersion,
  VersionSummary,
} from './transformation.js';
export { TransformationRepository } from './transformations.js';
export { SecretSeals, type ResealPass } from './secret-seals.js';
export { namesNoTransformation } from './transformation-reference.js';
