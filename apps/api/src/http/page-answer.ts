import { z } from 'zod';

/** RFC 3339 in UTC, as answers have it. */
export const instant = z.iso.datetime();

/** What every list answers. */
export const pageOf = <T extends z.ZodType>(entry: T) =>
  z.object({
    data: z.array(entry),
    nextCursor: z.string().nullable().meta({
      description: 'Send it as `cursor` to go on; null: that was all.',
      example: 'MTc2MzkyNjIwMDAwMDplcF8wMTlh',
    }),
  });
