import type { Page } from './page.js';

/** A place in a list that is ordered by (time, id): stable while rows come and go. */
export interface Cursor {
  /** Unix milliseconds. */
  readonly at: number;
  readonly id: string;
}

/** The cursor was not made by us (the API answers 400). */
export class InvalidCursor extends Error {
  override readonly name = 'InvalidCursor';
}

const longestId = 1_000;
/** Of PostgreSQL's `integer`. */
const largestInteger = 2_147_483_647;

/** Opaque to callers, safe in a URL. */
export function encodeCursor({ at, id }: Cursor): string {
  return Buffer.from(`${at}:${id}`, 'utf8').toString('base64url');
}

/** @throws InvalidCursor */
export function decodeCursor(text: string): Cursor {
  const decoded = Buffer.from(text, 'base64url').toString('utf8');
  const match = /^(\d{1,15}):(.+)$/s.exec(decoded);
  const [, at, id] = match ?? [];
  // One spelling only, so that what does not come from us is seen; and nothing that Postgres refuses as text.
  if (at === undefined || id === undefined || id.length > longestId || id.includes('\0')) throw new InvalidCursor(text);
  const cursor = { at: Number(at), id };
  if (encodeCursor(cursor) !== text) throw new InvalidCursor(text);
  return cursor;
}

/**
 * The cursor of a list that is ordered by a number which `integer` columns hold, in `at`.
 * @throws InvalidCursor also where the number is beyond them: the database would refuse it
 */
export function decodeNumber(text: string): number {
  const { at } = decodeCursor(text);
  if (at > largestInteger) throw new InvalidCursor(text);
  return at;
}

/** Makes a page of `limit` rows out of up to `limit + 1`, which tells whether there are more. */
export function toPage<T>(rows: readonly T[], limit: number, cursorOf: (row: T) => Cursor): Page<T> {
  const data = rows.slice(0, limit);
  const last = data.at(-1);
  return { data, nextCursor: rows.length > limit && last !== undefined ? encodeCursor(cursorOf(last)) : null };
}
