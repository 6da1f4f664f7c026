import type { LogReader } from '#libs/kafka';
import type { Part } from './rebuild-parts.js';

const hourMs = 3_600_000;

/**
 * From which time on the log knows all that was recorded, in Unix ms: figures of older hours stay as they are. A record that
 * a partition has lost was appended before its oldest one, so the hour of that one is the last that may lack something.
 * Null: of all times, since what is older is left behind.
 */
export async function wholeFrom(
  parts: readonly Part[],
  { dropOlder }: { readonly dropOlder: boolean },
  { reader, topics }: { readonly reader: LogReader; readonly topics: { readonly attempts: string } },
): Promise<number | null> {
  if (dropOlder) return null;
  let from = -Infinity;
  const bounds = await reader.bounds(parts);
  for (const [i, part] of parts.entries()) {
    if (part.topic !== topics.attempts || part.start === 0) continue;
    // Whatever it held is gone.
    if (part.start >= (bounds[i]?.end ?? 0)) return Infinity;
    for await (const [first] of reader.range(part, part.start, part.start + 1))
      if (first !== undefined) from = Math.max(from, (Math.floor(first.timestamp / hourMs) + 1) * hourMs);
  }
  return from;
}
