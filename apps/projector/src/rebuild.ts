/**
 * Reads: posthorn.attempts and posthorn.dead-letters from the beginning of their logs, as far as they are projected.
 * Writes: a second projection in Postgres, which takes the place of the first one when it has caught up.
 * Guarantees: the rows are those that projecting the log gives (invariant 11); projectors and api go on meanwhile, and no
 * row is lost or doubled around the swap. What stands in Postgres alone (configuration, discards) is not touched.
 * On a crash here: the projection in use is as it was; the next run clears away what this one leaves.
 * Tests: rebuild.int-spec.ts.
 */
import type { Attempt } from '#libs/contracts';
import { OffsetOutOfRange, partitionName, type LogReader, type TopicPartition } from '#libs/kafka';
import {
  RebuildBusy,
  type Advance,
  type AttemptRecord,
  type DeliveryRecord,
  type KeptRows,
  type LogStart,
  type Projection,
  type RebuildStore,
  type StoredPosition,
} from '#libs/persistence';
import { foldAttempts } from './fold.js';
import { project } from './project.js';
import { aim, endsOf, left, partsOf, slicesOf, sum, withinLog, type Part } from './rebuild-parts.js';
import { Progress } from './rebuild-progress.js';
import { wholeFrom } from './rebuild-stats.js';
import { ShadowWriter, type ShadowWriterPorts } from './shadow-writer.js';

export interface RebuildOptions {
  readonly partitions: { readonly attempts: number; readonly deadLetters: number };
  /** Rows older than the log are left behind. Default: they are kept. */
  readonly dropOlder: boolean;
  /**
   * After a move to another cluster: by `partitionName`, from where on in this log nobody has projected anything yet, so
   * that endpoints which were gone are disabled now. The rows in use come from another log then, and all of this one is
   * taken over. Null: the log is the same, and is taken over as far as it is projected.
   */
  readonly moveTo: ReadonlyMap<string, number> | null;
}

export interface RebuildPorts extends ShadowWriterPorts {
  readonly reader: LogReader;
  readonly store: Pick<
    RebuildStore,
    | 'begin'
    | 'shadow'
    | 'positions'
    | 'keepOlder'
    | 'straddling'
    | 'seed'
    | 'startAt'
    | 'livePositions'
    | 'index'
    | 'swap'
  >;
  readonly report: (line: string) => void;
  /** Monotonic ms. */
  readonly monotonic: () => number;
  readonly pause: (ms: number) => Promise<void>;
}

const partsAtOnce = 4;
/** So much may be left for the swap, during which projectors wait. */
const fewRecords = 2_000;
const mostRounds = 20;
const lockMs = 1_000;
const mostSwaps = 60;

export class RebuildFailed extends Error {
  override readonly name = 'RebuildFailed';
}

/** @throws RebuildFailed, RebuildSuperseded, or what the log and Postgres throw: the projection in use is as it was */
export async function rebuild(options: RebuildOptions, ports: RebuildPorts): Promise<void> {
  const { store, report, topics } = ports;
  const placesOf = (topic: string, count: number): TopicPartition[] =>
    Array.from({ length: count }, (_, partition) => ({ topic, partition }));
  const { attempts: attemptPartitions, deadLetters } = options.partitions;
  const places = [...placesOf(topics.attempts, attemptPartitions), ...placesOf(topics.deadLetters, deadLetters)];
  const parts = await partsOf(places, options.moveTo, ports.reader);
  await store.begin();
  await store.startAt(parts.map(({ topic, partition, start }) => ({ topic, partition, position: start })));
  if (!options.dropOlder && options.moveTo === null) await keepOlder(parts, ports);
  aim(parts, await targetsOf(parts, options, ports), report);
  try {
    await fill(parts, options.moveTo !== null, ports);
    report('building the indexes');
    await store.index((name) => report(`  ${name}`));
    await swapIn(parts, options, ports);
  } catch (error) {
    if (!(error instanceof OffsetOutOfRange)) throw error;
    throw new RebuildFailed('the log lost records by their age while it was read: run it again', { cause: error });
  }
  const attempts = sum(parts.filter(({ topic }) => topic === topics.attempts));
  report(
    `the rebuilt projection is in use: ${attempts} attempts and ${sum(parts) - attempts} dead letters from the log`,
  );
}

async function keepOlder(parts: readonly Part[], ports: RebuildPorts): Promise<void> {
  const { store, topics, report } = ports;
  const startsOf = (topic: string): LogStart[] => parts.filter((one) => one.topic === topic);
  const attempts = startsOf(topics.attempts);
  const starts = { attempts, deadLetters: startsOf(topics.deadLetters), oldest: await oldestOf(parts, ports) };
  const kept: KeptRows = await store.keepOlder(starts);
  let seeds = 0;
  for await (const some of store.straddling(starts)) {
    const folded = some.flatMap(
      ({ delivery, attempts: early }) => foldAttempts(early.map((one) => asLogged(delivery, one))).deliveries,
    );
    seeds += folded.length;
    await store.seed(folded);
  }
  if (kept.attempts + kept.deadLetters + kept.deliveries > 0)
    report(
      `older than the log, and kept: ${kept.deliveries} deliveries, ${kept.attempts} attempts, ${kept.deadLetters} dead letters; ` +
        `of ${seeds} deliveries the log holds the later attempts only`,
    );
}

/** Append time of the oldest record in a partition of attempts that has lost some. */
async function oldestOf(parts: readonly Part[], { reader, topics }: RebuildPorts): Promise<number | null> {
  let oldest: number | null = null;
  const bounds = await reader.bounds(parts);
  for (const [i, part] of parts.entries()) {
    if (part.topic !== topics.attempts || part.start === 0 || part.start >= (bounds[i]?.end ?? 0)) continue;
    for await (const [first] of reader.range(part, part.start, part.start + 1)) {
      if (first !== undefined) oldest = Math.min(oldest ?? Infinity, first.timestamp);
    }
  }
  return oldest;
}

/** As it stood in the log, as far as the fold asks: the row of its delivery has the rest. */
function asLogged(delivery: DeliveryRecord, attempt: AttemptRecord): Attempt {
  return { ...delivery, ...attempt, pos: 0, batch: null };
}

/** How far the log is taken over: what is not projected yet is the projectors' to do, with all that follows from it. */
async function targetsOf(
  parts: readonly Part[],
  { moveTo }: RebuildOptions,
  { store }: Pick<RebuildPorts, 'store'>,
): Promise<ReadonlyMap<string, number>> {
  return moveTo === null ? targetsFrom(await store.livePositions(parts)) : endsOf(parts);
}

const targetsFrom = (live: readonly StoredPosition[]): ReadonlyMap<string, number> =>
  new Map(live.map((one) => [partitionName(one), one.position]));

/** Reads all parts up to their targets, some at once. */
async function fill(parts: readonly Part[], isMove: boolean, ports: RebuildPorts): Promise<void> {
  await withinLog(parts, ports.reader, ports.report);
  const actsFrom = new Map(parts.map((part) => [partitionName(part), part.actsFrom]));
  const acts = (advance: Advance): boolean => advance.to > (actsFrom.get(partitionName(advance)) ?? Infinity);
  const writer = new ShadowWriter(ports.store, ports, { acts, counts: (advance) => !isMove || acts(advance) });
  const progress = new Progress(parts, ports);
  const waiting = parts.filter(({ position, target }) => position < target);
  const next = async (): Promise<void> => {
    for (let part = waiting.shift(); part !== undefined; part = waiting.shift()) {
      for await (const slice of slicesOf(part, ports.reader)) {
        await writer.write(slice);
        part.position = slice.to;
        progress.tell();
      }
    }
  };
  await Promise.all(Array.from({ length: partsAtOnce }, next));
}

/** Catches up until little is left, then does that and the swap while projectors wait. */
async function swapIn(parts: readonly Part[], options: RebuildOptions, ports: RebuildPorts): Promise<void> {
  const { store, report, pause } = ports;
  const statsFrom = await wholeFrom(parts, options, ports);
  for (let tries = 1; ; tries += 1) {
    for (let round = 0; round < mostRounds; round += 1) {
      aim(parts, await targetsOf(parts, options, ports));
      if (left(parts) <= fewRecords && round > 0) break;
      await fill(parts, options.moveTo !== null, ports);
    }
    const before = parts.map(({ position }) => position);
    try {
      await store.swap({
        partitions: parts,
        foreign: options.moveTo !== null,
        statsFrom,
        lockMs,
        catchUp: async (shadow, live) => {
          aim(parts, options.moveTo === null ? targetsFrom(live) : endsOf(parts));
          await withinLog(parts, ports.reader, ports.report);
          for (const part of parts) await catchUp(part, shadow, options.moveTo !== null, ports);
        },
      });
      return;
    } catch (error) {
      // What was caught up with in that transaction is gone with it.
      for (const [i, part] of parts.entries()) part.position = before[i] ?? part.start;
      if (!(error instanceof RebuildBusy)) throw error;
      if (tries === mostSwaps)
        throw new RebuildFailed('the tables are in use without a break: end long queries, and run it again', {
          cause: error,
        });
      report('somebody uses the tables for long; trying again');
      await pause(1_000);
    }
  }
}

async function catchUp(part: Part, shadow: Projection, isMove: boolean, ports: RebuildPorts): Promise<void> {
  if (part.position >= part.target) return;
  for await (const slice of slicesOf(part, ports.reader)) {
    const uncounted = isMove && slice.from < part.actsFrom;
    await shadow.apply({ ...(await project([slice], ports)), disables: [], uncounted });
    part.position = slice.to;
  }
}
