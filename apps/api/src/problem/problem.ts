import { scopeNow } from '#libs/persistence';
import { AppError, problems, type Fault, type ProblemCode } from './app-error.js';

export const problemContentType = 'application/problem+json';

/** RFC 9457, with our stable `code` and, where something in the request is at fault, `errors` that name each place. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly instance: string;
  /** As `X-Request-Id` has it. */
  readonly requestId: string;
  readonly code: ProblemCode;
  readonly errors?: readonly Fault[];
}

/** A request's path, without its query. */
export const pathOf = (url: string): string => url.split('?', 1)[0] ?? url;

/** @param at the request's path, without its query, and its id */
export function problemOf(error: AppError, at: { readonly instance: string; readonly requestId: string }): Problem {
  const [status, title] = problems[error.code];
  return {
    type: `urn:posthorn:problem:${error.code}`,
    title,
    status,
    detail: error.message,
    ...at,
    code: error.code,
    ...(error.errors.length > 0 ? { errors: error.errors } : {}),
  };
}

/** What Fastify and Nest throw of their own, in our codes; null for what is a fault of ours. */
export function appErrorOf(thrown: unknown): AppError | null {
  if (thrown instanceof AppError) return thrown;
  if (isDatabaseAbsent(thrown)) {
    const options = { headers: { 'retry-after': '2' }, cause: thrown };
    return new AppError('database-unavailable', 'Try again; whether a change was made is not known.', options);
  }
  if (isBeyondScope(thrown)) {
    return new AppError('forbidden', 'It would be something that this key or token may not see.', { cause: thrown });
  }
  const status = statusOf(thrown);
  if (status === null || status >= 500) return null;
  const options = { cause: thrown };
  switch (status) {
    case 404:
      return new AppError('unknown-route', 'Nothing answers to this method and path.', options);
    case 413:
      return new AppError('too-large', 'The body is larger than this route takes.', options);
    case 415:
      return new AppError('unsupported-content-type', 'Send application/json.', options);
    default:
      return new AppError('bad-request', thrown instanceof Error ? thrown.message : 'Bad request.', options);
  }
}

function statusOf(thrown: unknown): number | null {
  if (typeof thrown !== 'object' || thrown === null) return null;
  if ('getStatus' in thrown && typeof thrown.getStatus === 'function') {
    const status: unknown = thrown.getStatus();
    return typeof status === 'number' ? status : null;
  }
  return 'statusCode' in thrown && typeof thrown.statusCode === 'number' ? thrown.statusCode : null;
}

/** Row-level security kept a caller from writing what is not theirs. From the platform it would be a fault of ours. */
function isBeyondScope(thrown: unknown): boolean {
  if (!(thrown instanceof Error) || !('code' in thrown) || thrown.code !== '42501') return false;
  // Not a table without a grant, which has the same code: that is for the log.
  return thrown.message.includes('row-level security') && scopeNow().confinement !== null;
}

/** Node's and PostgreSQL's codes for a server that is not there, is starting, stopping or full. */
const absences = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  '57P01',
  '57P02',
  '57P03',
  '53300',
  '08006',
]);
const lostConnection = /^Connection terminated|^Query read timeout|timeout exceeded when trying to connect/;

function isDatabaseAbsent(thrown: unknown): boolean {
  if (!(thrown instanceof Error)) return false;
  if ('code' in thrown && typeof thrown.code === 'string' && absences.has(thrown.code)) return true;
  return lostConnection.test(thrown.message);
}
