/** What the bench asks its receiver, over the IPC channel of its process. */
export type ToReceiver =
  | {
      /** Forget what was counted. From now on count only events whose id is `<tag>.<sequence>`. */
      readonly type: 'begin';
      readonly tag: string;
      /** Say `complete` at so many different receipts. */
      readonly expected: number;
    }
  | { readonly type: 'report' }
  /** Whether paths that are switched are down: they are at first. */
  | { readonly type: 'switch'; readonly down: boolean };

export type FromReceiver =
  | { readonly type: 'ready'; readonly url: string }
  | { readonly type: 'begun' }
  | { readonly type: 'switched' }
  | { readonly type: 'complete' }
  | { readonly type: 'report'; readonly report: Report };

/** Receipts at one path. */
interface PathReport {
  readonly path: string;
  /** When the first receipt of each sequence number came, in machine time; 0: not received. */
  readonly arrivals: readonly number[];
}

export interface Report {
  readonly paths: readonly PathReport[];
  /** Different events per path, over all paths. */
  readonly received: number;
  /** Receipts whose `webhook-id` had come to this path before. */
  readonly duplicates: number;
  /** First receipts that came after one of a higher sequence number at the same path. */
  readonly outOfOrder: number;
  /** Machine time of the last first receipt; 0 when there was none. */
  readonly lastAt: number;
  readonly meanBodyBytes: number;
}

/** Paths that begin so are never answered, and not counted. */
export const silentPrefix = '/never';

/** Paths that begin so are answered 503 at once, and not counted. */
export const failingPrefix = '/failing';

/** Paths that begin so are answered 503 and not counted while they are switched off, else as any other. */
export const switchedPrefix = '/switched';

/** Paths that begin so are answered 204 after `slowMs`, and counted when they come. */
export const slowPrefix = '/slow';
export const slowMs = 20;

/** The same after `busyMs`. */
export const busyPrefix = '/busy';
export const busyMs = 50;
