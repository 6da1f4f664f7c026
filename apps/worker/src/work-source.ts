import { isTestStream, liveStream, type WorkKind } from '#libs/core';

/** First attempts of live events, their retries, replays, or tests. */
export type Source = 'fresh' | 'retry' | 'other' | 'test';

export function sourceOf({
  stream,
  delivery,
}: {
  readonly stream: string;
  readonly delivery: { readonly attempt: number };
}): Source {
  if (isTestStream(stream)) return 'test';
  if (stream !== liveStream) return 'other';
  return delivery.attempt > 0 ? 'retry' : 'fresh';
}

/** First attempts of live events come before all else. */
export const workKindOf = ({ attempt, stream }: { readonly attempt: number; readonly stream: string }): WorkKind =>
  attempt > 0 || stream !== liveStream ? 'old' : 'fresh';
