import type { TextPosition } from '#libs/core';

/**
 * Everything that the API refuses, by its stable code, with the HTTP status and the title that go with it. Callers may
 * rely on the codes: one is never renamed. The codes of an event that is refused are those of the rejected topic.
 */
export const problems = {
  'malformed-json': [400, 'The body is not JSON, or not every reader would make the same of it'],
  'invalid-parameter': [400, 'A query parameter or header does not fit'],
  malformed: [400, 'The request does not hold a CloudEvent'],
  unauthorised: [401, 'The key is missing or wrong'],
  'key-revoked': [401, 'The key was revoked'],
  'key-expired': [401, 'The key has expired'],
  'token-expired': [401, 'The portal token has expired'],
  'token-revoked': [401, 'The portal token was revoked'],
  forbidden: [403, 'The key does not allow this'],
  'not-found': [404, 'There is no such thing'],
  'unknown-route': [404, 'There is no such route'],
  'method-not-allowed': [405, 'The path does not answer to this method'],
  'request-timeout': [408, 'The request took too long to arrive'],
  'already-exists': [409, 'There is one already'],
  'tenant-has-endpoints': [409, 'The tenant still has endpoints'],
  'transformation-in-use': [409, 'Endpoints still name the transformation'],
  'last-secret': [409, 'It is the last secret of the endpoint'],
  'too-many-secrets': [409, 'The endpoint has as many secrets as it may have'],
  'not-halted': [409, 'The delivery is not halted'],
  'not-open': [409, 'There is no open dead letter'],
  'nothing-to-replay': [409, 'There is nothing to send'],
  'not-replayable': [409, 'It cannot be sent again'],
  'replay-ended': [409, 'The replay has ended'],
  'not-verified': [409, 'The endpoint is not verified'],
  'no-verification': [409, 'The endpoint need not be verified'],
  'verification-under-way': [409, 'The endpoint is being verified, or was a moment ago'],
  conflict: [409, 'It was changed at the same time'],
  'request-in-progress': [409, 'The request is under way already'],
  'idempotency-key-reused': [409, 'The Idempotency-Key was used for another request'],
  'precondition-failed': [412, 'It is not what the caller has seen'],
  'too-large': [413, 'The content is too large'],
  'unsupported-content-type': [415, 'This content type is not understood here'],
  'invalid-body': [422, 'The body does not fit'],
  'missing-attribute': [422, 'An attribute of the event is missing'],
  'invalid-attribute': [422, 'An attribute of the event does not fit'],
  'unknown-event-type': [422, 'No schema is registered for this event type'],
  'schema-mismatch': [422, 'The data was not written with a schema of its event type'],
  'invalid-data': [422, 'The data does not fit the schema of its event type'],
  'unknown-tenant': [422, 'There is no such tenant'],
  'unknown-transformation': [422, 'The tenant has no such transformation'],
  'invalid-events': [422, 'The events do not fit'],
  'rate-limited': [429, 'Too many requests of this key'],
  'too-many-tests': [429, 'Too many tests are under way'],
  'headers-too-large': [431, 'URL and headers are too long'],
  'bad-request': [400, 'The request cannot be understood'],
  internal: [500, 'Something went wrong here'],
  'broker-unavailable': [503, 'The log did not acknowledge in time'],
  'partition-stopped': [503, 'A partition of the log waits for a decision'],
  'registry-unavailable': [503, 'The schema registry does not answer'],
  'database-unavailable': [503, 'The database does not answer'],
  overloaded: [503, 'Too much is waiting for the log'],
  'shutting-down': [503, 'This process is stopping'],
  'test-timeout': [504, 'The test has no outcome yet'],
} as const satisfies Record<string, readonly [status: number, title: string]>;

export type ProblemCode = keyof typeof problems;

/** One thing that is wrong, and where: a JSON pointer into the body, a query parameter, or a header. */
export interface Fault {
  readonly pointer?: string;
  readonly parameter?: string;
  readonly header?: string;
  /** Position in the batch. */
  readonly index?: number;
  /** Where in a text of its own language (CEL) it stands; `index` from 0, `line` and `column` from 1. */
  readonly position?: TextPosition;
  /** Line of the text that is at fault, from 1. */
  readonly line?: number;
  readonly code: string;
  readonly detail: string;
}

/** A refusal. `detail` is read by people: it never holds a secret. */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly errors: readonly Fault[];
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    readonly code: ProblemCode,
    detail: string,
    options: {
      readonly errors?: readonly Fault[];
      readonly headers?: Readonly<Record<string, string>>;
      readonly cause?: unknown;
    } = {},
  ) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.errors = options.errors ?? [];
    this.headers = options.headers ?? {};
  }

  get status(): number {
    return problems[this.code][0];
  }
}

export const notFound = (what: string, id: string): AppError =>
  new AppError('not-found', `There is no ${what} ${JSON.stringify(id)}.`);
