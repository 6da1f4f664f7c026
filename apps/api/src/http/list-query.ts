import { z } from 'zod';
import { InvalidCursor } from '#libs/persistence';
import { AppError, notFound } from '../problem/app-error.js';

/** What every list takes. */
export const listQuery = {
  limit: z
    .string()
    .regex(/^\d{1,9}$/, 'Must be a whole number')
    .transform(Number)
    .pipe(z.int().min(1).max(200))
    .default(50)
    .meta({ description: 'Most entries of one answer.', example: 50 }),
  cursor: z
    .string()
    .min(1)
    .max(2_000)
    .optional()
    .meta({ description: '`nextCursor` of the answer before.', example: 'MTc2MzkyNjIwMDAwMDplcF8wMTlh' }),
};

/** JSON can escape half a surrogate pair, which is no text: the database takes it neither as text nor in JSON (RFC 7493 §2.1). */
export const wellFormed = (text: z.ZodString): z.ZodString =>
  text.refine((one) => one.isWellFormed(), 'Must not hold half a surrogate pair');

/** Text for people: no control characters, which neither they nor the database want. */
export const plainText = (longest: number) =>
  wellFormed(
    z
      .string()
      .max(longest)
      .regex(/^[^\p{Cc}]*$/u, 'Must not hold control characters'),
  );

/** An id or a name to look for. Control characters are refused here, before the database does. */
export const identifier = (what: string, example: string) =>
  z
    .string()
    .regex(/^[^\p{Cc}]{1,1000}$/u, 'Must be 1 to 1000 characters, none of them a control character')
    .meta({ description: what, example });

/** Words to look for in a text for people. */
export const words = (what: string, example: string) =>
  plainText(200)
    .regex(/[\p{L}\p{N}]/u, 'Must hold a word or a number')
    .meta({ description: `Words, or beginnings of words, of ${what}; all of them must be there.`, example });

const possibleId = identifier('', '');

/** RFC 3339, as Unix milliseconds. */
export const time = (what: string) =>
  z.iso
    .datetime({ offset: true })
    .transform((text) => Date.parse(text))
    .meta({ description: what, example: '2026-11-23T19:30:00.000Z' });

/** An id out of the path. One that cannot be an id is not there. */
export function checkId(what: string, id: string): string {
  if (!possibleId.safeParse(id).success) throw notFound(what, id.slice(0, 100));
  return id;
}

/** Runs a list query; a cursor that is none of ours is the caller's fault. */
export async function listed<T>(query: () => Promise<T>): Promise<T> {
  try {
    return await query();
  } catch (error) {
    if (!(error instanceof InvalidCursor)) throw error;
    throw new AppError('invalid-parameter', 'The cursor was not given out by this list.', {
      errors: [{ parameter: 'cursor', code: 'invalid', detail: 'Send nextCursor of an answer, as it is.' }],
      cause: error,
    });
  }
}

/** Unix milliseconds as RFC 3339. */
export const dateTime = (at: number): string => new Date(at).toISOString();
export const dateTimeOrNull = (at: number | null): string | null => (at === null ? null : dateTime(at));
