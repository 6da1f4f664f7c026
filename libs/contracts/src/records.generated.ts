// Generated from schemas/platform by `npm run gen`. Do not edit.

/** What happened to a delivery: each POST, and each final outcome. */
export interface Attempt {
  /** See deliveryIdOf in libs/core. */
  readonly deliveryId: string;
  /** The webhook-id header. */
  readonly webhookId: string;
  /** Owner of the endpoint. */
  readonly tenantId: string;
  /** Receiver; the record's key. */
  readonly endpointId: string;
  /** Stream of the delivery. */
  readonly stream: string;
  /** Offset of the delivery in posthorn.deliveries. */
  readonly pos: number;
  /** CloudEvents id. */
  readonly eventId: string;
  /** CloudEvents source. */
  readonly eventSource: string;
  /** CloudEvents type. */
  readonly eventType: string;
  /** Configuration that was in force: offset in posthorn.endpoints. */
  readonly configVersion: number;
  /** Append time of the event. */
  readonly acceptedAt: number;
  /** When the delivery was made. */
  readonly dispatchedAt: number;
  /** Which POST this was, from 1; 0 when none was made. */
  readonly number: number;
  /** When this attempt began. */
  readonly startedAt: number;
  /** Until its outcome was known, in milliseconds. */
  readonly durationMs: number;
  /** Where it was sent; empty when no POST was made. */
  readonly url: string;
  /** Headers that were sent, without credentials. */
  readonly requestHeaders: Readonly<Record<string, string>>;
  /** Null when there was no answer. */
  readonly response: AttemptResponse | null;
  /** Null when an answer came. */
  readonly error: AttemptError | null;
  /** What was decided. */
  readonly outcome: AttemptOutcome;
  /** No further attempt follows. */
  readonly final: boolean;
  /** Set when the delivery became a dead letter. */
  readonly deadLetterReason: string | null;
  /** When the next attempt is due. */
  readonly dueAt: number | null;
  /** Process that made it. */
  readonly workerId: string;
  /** Ordering key of the delivery. */
  readonly orderingKey: string | null;
  /** Null: it was POSTed alone. */
  readonly batch: BatchPlace | null;
}

/** What the endpoint answered. */
export interface AttemptResponse {
  /** HTTP status code. */
  readonly status: number;
  /** Answer headers. */
  readonly headers: Readonly<Record<string, string>>;
  /** First 4 KiB of the answer. */
  readonly body: Buffer;
  /** Whether the answer was longer. */
  readonly truncated: boolean;
}

/** Why there was no answer, or no POST. */
export interface AttemptError {
  /** Stable code: see AttemptErrorKind in libs/core. */
  readonly kind: string;
  /** In words. */
  readonly message: string;
}

/** delivered: 2xx. retry: another try follows at dueAt. deadLetter: given up, see deadLetterReason. disable: given up, and the endpoint asked to be disabled (410). dropped: the endpoint was deleted, the replay cancelled, or it was a test that failed. halted: exhausted, and kept until someone releases or skips it. started: a POST is about to be made (written only while a delivery is suspected of ending its worker). */
export type AttemptOutcome = 'delivered' | 'retry' | 'deadLetter' | 'disable' | 'dropped' | 'halted' | 'started';

/** Where it stood in the batch that was POSTed. */
export interface BatchPlace {
  /** The webhook-id of the batch. */
  readonly id: string;
  /** How many events it had. */
  readonly size: number;
  /** Of this one among them, from 0. */
  readonly place: number;
}

/** Who changed what, in posthorn.audit. Each tenant's entries are a chain of hashes; the same entry may stand there more than once. */
export interface AuditEntry {
  /** Whose it is; empty: the platform's own. */
  readonly tenantId: string;
  /** Counts the entries of the chain, from 1. */
  readonly seq: number;
  /** When it was done. */
  readonly at: number;
  /** root, operator, tenant, portal or system. */
  readonly actorKind: string;
  /** Of the key or token. */
  readonly actorId: string;
  /** For people. */
  readonly actorName: string;
  /** Address that the request came from. */
  readonly ip: string | null;
  /** Of the request. */
  readonly requestId: string | null;
  /** What was done, such as endpoint.updated. */
  readonly action: string;
  /** To what, such as endpoint/ep_1. */
  readonly resource: string;
  /** JSON, without secrets; null: it was not there. */
  readonly before: string | null;
  /** JSON, without secrets; null: it is gone. */
  readonly after: string | null;
  /** Hash of the entry before it; zeros for the first. */
  readonly prevHash: Buffer;
  /** SHA-256 of prevHash, seq (8 bytes, big-endian) and the digest of the entry. */
  readonly hash: Buffer;
}

/** A delivery that was given up. Counts only with the final Attempt that names it. */
export interface DeadLetter {
  /** See deliveryIdOf in libs/core. */
  readonly deliveryId: string;
  /** The delivery as it was last tried. */
  readonly delivery: Delivery;
  /** Stable code: exhausted, gone, undeliverable, transformation, poison, endpoint-disabled. */
  readonly reason: string;
  /** When it was given up. */
  readonly at: number;
  /** HTTP status of the last answer. */
  readonly lastStatus: number | null;
  /** Error kind and message of the last attempt. */
  readonly lastError: string | null;
}

/** One event for one endpoint, rendered and ready to be signed and sent. Stands in posthorn.deliveries and, as copies, in the retry topics. */
export interface Delivery {
  /** Owner of the endpoint. */
  readonly tenantId: string;
  /** Receiver; the record's key. */
  readonly endpointId: string;
  /** The webhook-id header: the same over retries and replays of (endpoint, event source, event id). */
  readonly webhookId: string;
  /** `live`, or the id of a replay or test. Order and dedupe hold within one stream. */
  readonly stream: string;
  /** Incarnation of the source log; raised when the log is not the one that positions were taken from. */
  readonly incarnation: number;
  /** Partition of posthorn.events. */
  readonly sourcePartition: number;
  /** Offset in posthorn.events. */
  readonly sourceOffset: number;
  /** Last commit of the source partition that the dispatcher knew as acknowledged when it sent this. */
  readonly floor: number;
  /** Offset in posthorn.endpoints of the configuration that this was made with. */
  readonly configVersion: number;
  /** The endpoint's setting when this was made. */
  readonly ordering: Ordering;
  /** The event's partitionkey, else its subject; null: the key shared by all that have neither. */
  readonly orderingKey: string | null;
  /** CloudEvents id. */
  readonly eventId: string;
  /** CloudEvents source. */
  readonly eventSource: string;
  /** CloudEvents type. */
  readonly eventType: string;
  /** Append time of the event in posthorn.events. */
  readonly acceptedAt: number;
  /** When the dispatcher made this delivery; the retry policy's total time starts here. */
  readonly dispatchedAt: number;
  /** Content-Type of the body. */
  readonly contentType: string;
  /** Further request headers that belong to the rendered form. */
  readonly headers: Readonly<Record<string, string>>;
  /** Request body; null when it could not be rendered. */
  readonly body: Buffer | null;
  /** Why there is no body. */
  readonly renderError: string | null;
  /** POSTs made so far. */
  readonly attempt: number;
  /** Number of this copy: 0 in posthorn.deliveries, one more for each retry, hop and spill. */
  readonly hop: number;
  /** Offset in posthorn.deliveries; null there, set in every copy. */
  readonly pos: number | null;
  /** Epoch of the worker that wrote this copy; null in posthorn.deliveries. */
  readonly writer: Epoch | null;
  /** Not to be sent before; null: at once. */
  readonly dueAt: number | null;
  /** POSTs made before the retry schedule began anew: 0, or `attempt` when a halted delivery was released. */
  readonly scheduleFrom: number;
  /** Begin of the policy's total time; null: dispatchedAt. */
  readonly scheduledSince: number | null;
  /** When it was exhausted at an endpoint that halts; null: it goes on. */
  readonly haltedAt: number | null;
  /** Beside (stream, incarnation, source partition): what repeats are looked for in. Empty for live dispatch and replays; of a catch-up, its run, which is one endpoint's. */
  readonly space: string;
  /** What kind of fault renderError is: `transformation`, `version` or `too-large`. */
  readonly renderKind: string | null;
  /** Of a batch: the deliveries that travel in one POST, by ascending pos; their bodies make up its body. Null: it is one event. */
  readonly members: readonly Delivery[] | null;
}

/** Order asked for when this was made. */
export type Ordering = 'none' | 'key' | 'endpoint';

/** Who wrote a copy: compared by era, then by generation (DESIGN, Ownership). */
export interface Epoch {
  /** Raised by the tool that sets positions. */
  readonly era: number;
  /** Group generation in which the writer gained the partition. */
  readonly generation: number;
}

/** Stands in posthorn.deliveries: a catch-up or replay has ended. What follows in that space is a repeat (DESIGN §3, Effectively once). */
export interface EndOfSpace {
  /** Of a catch-up; empty for a replay. */
  readonly endpointId: string;
  /** As in Delivery. */
  readonly stream: string;
  /** As in Delivery. */
  readonly incarnation: number;
  /** As in Delivery. */
  readonly sourcePartition: number;
  /** As in Delivery. */
  readonly space: string;
}

/** What dispatcher and worker need of an endpoint. A deletion is a tombstone. */
export interface EndpointConfig {
  /** The record's key. */
  readonly endpointId: string;
  /** Owner. */
  readonly tenantId: string;
  /** Where deliveries are POSTed. */
  readonly url: string;
  /** Patterns: an exact type, `task.*` (any type below task), or `*`. */
  readonly eventTypes: readonly string[];
  /** Only an active endpoint gets new deliveries. */
  readonly state: EndpointState;
  /** Order asked for. */
  readonly ordering: EndpointOrdering;
  /** Each signs every request while in force. */
  readonly secrets: readonly EndpointSecret[];
  /** POSTs on their way at once. */
  readonly maxInFlight: number;
  /** For the whole request, in milliseconds. */
  readonly timeoutMs: number;
  /** When to try again. */
  readonly retry: RetryPolicyConfig;
  /** Counts the changes of this endpoint, from 1. */
  readonly revision: number;
  /** When it was changed. */
  readonly updatedAt: number;
  /** With order: whether the next of a key follows a dead letter, or waits until someone decides. */
  readonly onExhausted: OnExhausted;
  /** Null: none. */
  readonly rateLimit: RateLimit | null;
  /** Whether the in-flight limit halves on 429, 503 and timeouts, and creeps up again. */
  readonly adaptiveConcurrency: boolean;
  /** Null: the defaults of libs/core. */
  readonly circuit: CircuitConfig | null;
  /** What was decided of halted deliveries; kept until their outcome is known. */
  readonly resolutions: readonly HaltResolution[];
  /** Run of the cursors that it was created with; null: it began live. A dispatcher looks them up before it sends to it. */
  readonly backfill: string | null;
  /** JSON array of filter dialects that must all match (libs/filters); null: every event of its types. */
  readonly filters: string | null;
  /** Event type to the version that it gets; 0: the newest. */
  readonly versions: Readonly<Record<string, number>>;
  /** Of a type that is not in `versions`: the newest version instead of the first. True in records that knew no versions. */
  readonly latestByDefault: boolean;
  /** CloudEvents structured or binary, the payload of Standard Webhooks, or the bare data. */
  readonly format: EndpointFormat;
  /** Request headers of its own; not secret. */
  readonly headers: Readonly<Record<string, string>>;
  /** Of request bodies. */
  readonly compression: EndpointCompression;
  /** Null: each event in a POST of its own. */
  readonly batch: BatchConfig | null;
  /** Code that each event passes before it is sent (TransformationConfig). */
  readonly transformationId: string | null;
  /** How it is shown who sends, beside the signatures: sealed as secrets are, all of it. Null: not at all. */
  readonly sealedAuthentication: string | null;
  /** For mutual TLS: certificates and private key, sealed as secrets are. Null: none. */
  readonly sealedClientCertificate: string | null;
  /** Certificates to trust instead of the public ones, PEM; no secret. Null: the public ones. */
  readonly caPem: string | null;
  /** Nothing at all may be sent to its URL until it is verified; `state` then is not active either. */
  readonly awaitsVerification: boolean;
  /** What its receiver has allowed to send to it, named in WebHook-Request-Origin; null: nothing was asked. */
  readonly requestOrigin: string | null;
}

export type EndpointState = 'active' | 'paused' | 'disabled';

export type EndpointOrdering = 'none' | 'key' | 'endpoint';

export interface EndpointSecret {
  /** Name of the secret; not secret itself. */
  readonly secretId: string;
  /** Sealed by libs/core secret-box: never the secret itself. */
  readonly ciphertext: string;
  /** End of the overlap after a rotation; null: in force. */
  readonly expiresAt: number | null;
}

export interface RetryPolicyConfig {
  /** `schedule`: wait before the 2nd, 3rd, … attempt; their number plus one is the number of attempts. Empty for `exponential`. */
  readonly delaysMs: readonly number[];
  /** `proportional`: share by which each delay varies at random, both ways: 0.2 is ±20 %. */
  readonly jitter: number;
  /** Longest wait that growth may reach or a Retry-After may ask for. */
  readonly maxDelayMs: number;
  /** Explicit delays, or growth from baseMs by factor. */
  readonly kind: RetryKind;
  /** `exponential`: wait before the 2nd attempt. */
  readonly baseMs: number;
  /** `exponential`: by what each wait exceeds the one before. */
  readonly factor: number;
  /** `exponential`: number of attempts. 0 for `schedule`. */
  readonly maxAttempts: number;
  /** proportional: ± `jitter`. full: from 0 to the delay. equal: from half of it to all of it. */
  readonly jitterKind: RetryJitter;
  /** Time after which no further attempt is made, counted from the dispatch; null: no limit. */
  readonly maxTotalMs: number | null;
}

export type RetryKind = 'schedule' | 'exponential';

export type RetryJitter = 'proportional' | 'full' | 'equal';

export type OnExhausted = 'skip' | 'halt';

export interface RateLimit {
  /** POSTs for each `per`. */
  readonly limit: number;
  /** Unit of time. */
  readonly per: RatePeriod;
  /** POSTs that may go out at once after a rest. */
  readonly burst: number;
}

export type RatePeriod = 'second' | 'minute' | 'hour';

export interface CircuitConfig {
  /** Opens after so many in a row. */
  readonly consecutiveFailures: number;
  /** Opens at this share of failures, 0 to 1, … */
  readonly failureShare: number;
  /** … of at least so many POSTs within windowMs. */
  readonly minRequests: number;
  /** Time over which the share is counted. */
  readonly windowMs: number;
  /** Wait before the first probe; doubles with each probe that fails, up to maxOpenMs. */
  readonly openMs: number;
  /** Longest wait before a probe. */
  readonly maxOpenMs: number;
}

export interface HaltResolution {
  /** The halted delivery. */
  readonly deliveryId: string;
  /** release: its schedule begins anew. skip: it becomes a dead letter, and the next follows. */
  readonly action: HaltAction;
  /** When it was decided. */
  readonly at: number;
}

export type HaltAction = 'release' | 'skip';

export type EndpointFormat = 'structured' | 'binary' | 'standard' | 'data';

export type EndpointCompression = 'none' | 'gzip';

export interface BatchConfig {
  /** Events of one POST. */
  readonly maxEvents: number;
  /** Of its body, in bytes. */
  readonly maxBytes: number;
  /** How long an event waits for others. */
  readonly maxWaitMs: number;
}

/** How an endpoint stands, told by the owner of its partition of posthorn.deliveries, at most once a second; of the partition itself under the key `partition:<n>`. Advice: nothing depends on it for being right. */
export interface EndpointStatus {
  /** The record's key. */
  readonly key: string;
  /** Of posthorn.deliveries. */
  readonly partition: number;
  /** Of the teller's epoch. */
  readonly era: number;
  /** Of the teller's epoch. */
  readonly generation: number;
  /** When. */
  readonly at: number;
  /** posthorn.deliveries was read up to here. */
  readonly readTo: number;
  /** Deliveries without a final outcome, of what was read. */
  readonly outstanding: number;
  /** By stream; empty for a partition. */
  readonly streams: readonly StreamStatus[];
  /** Null: the circuit is not open. */
  readonly circuitOpenUntil: number | null;
  /** More outstanding than the bound. */
  readonly overflow: boolean;
}

export interface StreamStatus {
  /** As in Delivery. */
  readonly stream: string;
  /** Of that stream. */
  readonly outstanding: number;
}

/** Stands in a retry partition: its writer has gained the partition. Copies at a higher offset from writers of a lower epoch are void (DESIGN §3, Ownership). */
export interface Fence {
  /** Of the writer's epoch. */
  readonly era: number;
  /** Of the writer's epoch. */
  readonly generation: number;
  /** Commit of posthorn.deliveries that the writer found. */
  readonly committed: number;
  /** End of posthorn.attempts when the writer took over. */
  readonly attemptsEnd: number;
  /** The writer, for people. */
  readonly workerId: string;
  /** When. */
  readonly at: number;
}

/** A replay that workers and dispatchers must know of; stands in posthorn.endpoints under its id. A tombstone once all of it has ended. What it sends is in PostgreSQL. */
export interface ReplayConfig {
  /** `replay:<uuid>`: the record's key, and the stream of its deliveries. */
  readonly replayId: string;
  /** Owner. */
  readonly tenantId: string;
  /** Of a paused one nothing is sent for now; what is left of a cancelled one is dropped. */
  readonly state: ReplayState;
  /** Of each endpoint, beside its own; null: none. */
  readonly rateLimit: ReplayRate | null;
  /** Counts the changes, from 1. */
  readonly revision: number;
  /** When it was changed. */
  readonly updatedAt: number;
}

export type ReplayState = 'running' | 'paused' | 'cancelled';

export interface ReplayRate {
  /** POSTs for each `per`. */
  readonly limit: number;
  /** Unit of time. */
  readonly per: ReplayRatePeriod;
  /** POSTs that may go out at once after a rest. */
  readonly burst: number;
}

export type ReplayRatePeriod = 'second' | 'minute' | 'hour';

/** A tenant that exists; key `tenant:<id>` in posthorn.endpoints. A deletion is a tombstone. */
export interface TenantConfig {
  /** As in the CloudEvents extension tenantid, or the record key of an event. */
  readonly tenantId: string;
  /** For people. */
  readonly name: string;
  /** When it was changed. */
  readonly updatedAt: number;
}

/** Code of a tenant that changes what endpoints receive. Stands in posthorn.endpoints under `transformation:<id>`; a deletion is a tombstone. */
export interface TransformationConfig {
  /** Named by endpoints. */
  readonly transformationId: string;
  /** Owner. */
  readonly tenantId: string;
  /** Counts the changes of the code, from 1. */
  readonly version: number;
  /** JavaScript with a function `handler(webhook)`. */
  readonly code: string;
  /** When the code was changed. */
  readonly updatedAt: number;
}
