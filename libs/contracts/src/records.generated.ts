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

/** delivered: 2xx. retry: another try follows at dueAt. deadLetter: given up, see deadLetterReason. disable: given up, and the endpoint asked to be disabled (410). dropped: the endpoint was deleted or the replay cancelled. */
export type AttemptOutcome = 'delivered' | 'retry' | 'deadLetter' | 'disable' | 'dropped';

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
  /** Wait before the 2nd, 3rd, … attempt. Their number plus one is the number of attempts. */
  readonly delaysMs: readonly number[];
  /** Share by which each delay varies at random, both ways: 0.2 is ±20 %. */
  readonly jitter: number;
  /** Longest wait that a Retry-After may ask for. */
  readonly maxDelayMs: number;
}

/** A tenant that exists; key `tenant:<id>` in posthorn.endpoints. A deletion is a tombstone. */
export interface TenantConfig {
  /** As in the CloudEvents extension tenantid, or the record key of an event. */
  readonly tenantId: string;
  /** For people. */
  readonly name: string;
  /** When it was changed. */
  readonly updatedAt: number;
}
