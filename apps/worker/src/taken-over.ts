import type { DedupeSpace, FenceLevels, LearntFloor, OffsetTracker, SeenRecord, WriterEpoch } from '#libs/core';

/** Tells repeats among the records of `deliveries` (libs/core SeenPositions). */
export interface Seen {
  isRepeat(record: SeenRecord, pos: number): boolean;
  end(of: DedupeSpace, pos: number, appendedAt: number): void;
  readAt(appendedAt: number): void;
  learn(floor: LearntFloor, end: number): void;
  liveSpaces(): Iterable<{ readonly incarnation: number; readonly sourcePartition: number; readonly pos: number }>;
  restorePoint(committable: number): { readonly b: number; readonly floors: readonly LearntFloor[] };
}

/** What is known of a partition before anything of it is read. */
export interface TakenOver {
  readonly number: number;
  /** Of this owner. */
  readonly writer: WriterEpoch;
  readonly deliveries: OffsetTracker;
  /** By retry topic, shortest first; read up to the own fence. */
  readonly retries: readonly OffsetTracker[];
  /** Where the retry topics are read on from, with payloads. */
  readonly retryPositions: readonly number[];
  readonly fences: readonly FenceLevels[];
  readonly seen: Seen;
  /** `a` of the commit. */
  readonly a: number;
  /** End of `attempts` as restored. */
  readonly attemptsEnd: number;
  /** End of `deliveries` at take-over. */
  readonly deliveriesEnd: number;
}
