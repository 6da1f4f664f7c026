import { AppError } from '../problem/app-error.js';

/** Whether what is there is what the caller has seen; null: they did not ask (RFC 9110 §13.1.1). */
export type Precondition = ((tag: string) => boolean) | null;

const list = /^\s*(?:W\/)?"[^"\p{Cc}]*"(?:\s*,\s*(?:W\/)?"[^"\p{Cc}]*")*\s*$/u;

/** Reads `If-Match`. A weak tag matches nothing. @throws AppError `invalid-parameter` */
export function ifMatch(header: string | undefined): Precondition {
  if (header === undefined) return null;
  if (header.trim() === '*') return () => true;
  if (!list.test(header)) {
    throw new AppError('invalid-parameter', 'If-Match holds no entity tags.', {
      errors: [{ header: 'if-match', code: 'invalid', detail: 'Send the ETag of an answer as it is, or *.' }],
    });
  }
  const tags = new Set(header.match(/(?:W\/)?"[^"]*"/g));
  return (tag) => tags.has(tag);
}

/** @throws AppError `precondition-failed` */
export function checkMatch(precondition: Precondition, tag: string): void {
  if (precondition !== null && !precondition(tag)) throw preconditionFailed(tag);
}

/** @param tag what it has now */
export const preconditionFailed = (tag: string): AppError =>
  new AppError('precondition-failed', `It was changed since: its ETag is ${tag} now.`, {
    errors: [{ header: 'if-match', code: 'precondition-failed', detail: 'Read it again and decide anew.' }],
    headers: { etag: tag },
  });
