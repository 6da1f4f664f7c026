/**
 * Cursors beside the dispatchers' positions: one names an offset of one incarnation of one partition of events, so it goes
 * along when that becomes another log. Between clusters by time, as positions do; at an alarm to where the operator says.
 */
import { v7 } from 'uuid';
import { partitionName, type LogBounds, type LogReader, type TopicPartition } from '#libs/kafka';
import type { CursorPlace, CursorRecord, CursorRelocation } from '#libs/persistence';
import { CommandFailed } from './report.js';

export type CursorMoves = Pick<CursorRelocation, 'relocate'>;

/** How far an endpoint was that did not follow its partition live, and in terms of time. */
export interface SavedCursor {
  readonly endpointId: string;
  readonly partition: number;
  /** For people: offsets mean nothing elsewhere. */
  readonly offset: number;
  /** Append time of the first record that it was not sent; ISO 8601. Null: not known. */
  readonly at: string | null;
}

export interface PlannedCursor {
  readonly endpointId: string;
  readonly partition: number;
  /** Everything that was appended before this, less the margin, was sent to it; ISO 8601. Null: the log's start. */
  readonly at: string | null;
  readonly offset: number;
}

/** Whether it is what `offsets save` and `plan` write of one cursor. */
export function isCursor(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { endpointId, partition, offset, at } = value as Record<string, unknown>;
  return (
    typeof endpointId === 'string' &&
    [partition, offset].every((one) => Number.isSafeInteger(one) && Number(one) >= 0) &&
    (at === null || (typeof at === 'string' && !Number.isNaN(Date.parse(at))))
  );
}

/** By endpoint and partition: its run may have been another one when it was saved. */
export function cursorIn<T extends { readonly endpointId: string; readonly partition: number }>(
  cursors: readonly T[],
): (wanted: { readonly endpointId: string; readonly partition: number }) => T | undefined {
  const nameOf = ({ endpointId, partition }: Pick<T, 'endpointId' | 'partition'>): string =>
    `${partition}/${endpointId}`;
  const byName = new Map(cursors.map((one) => [nameOf(one), one]));
  return (wanted) => byName.get(nameOf(wanted));
}

/**
 * What is known of the time of a cursor that was not saved, in terms of which nothing is passed over. One that froze after
 * the last save had been sent everything before the position that was saved for its partition. Of a backfill nothing is
 * known.
 * @param partitionAt the time up to which the partition's events were dispatched; null: none were
 */
export function timeOfUnsaved({ kind }: Pick<CursorRecord, 'kind'>, partitionAt: number | null): number | null {
  return kind === 'freeze' ? partitionAt : null;
}

/** The first offset at or after a time, as a place in the log; each is asked for once. */
export class PlacesByTime {
  readonly #found = new Map<string, Promise<number>>();

  constructor(
    private readonly reader: Pick<LogReader, 'offsetsAt'>,
    private readonly marginMs: number,
  ) {}

  /** @param at Unix ms; null: the log's start */
  offsetOf(place: TopicPartition, { start, end }: LogBounds, at: number | null): Promise<number> {
    if (at === null) return Promise.resolve(start);
    const key = `${partitionName(place)}@${at}`;
    const found = this.#found.get(key) ?? this.#ask(place, { start, end }, at);
    this.#found.set(key, found);
    return found;
  }

  async #ask(place: TopicPartition, { start, end }: LogBounds, at: number): Promise<number> {
    // Below 0 times mean something else to Kafka.
    const [found = start] = await this.reader.offsetsAt([place], Math.max(0, at - this.marginMs));
    return Math.min(Math.max(found, start), end);
  }
}

export const newRun = (): string => `f_${v7().replaceAll('-', '')}`;

export interface NewSource {
  readonly partition: number;
  readonly incarnation: number;
  readonly bounds: LogBounds;
}

/** Each cursor in force where the plan has it. @throws CommandFailed when there is one that the plan does not name */
export function plannedPlaces(
  inForce: readonly CursorRecord[],
  planned: readonly PlannedCursor[],
  sources: readonly NewSource[],
): readonly CursorPlace[] {
  const find = cursorIn(planned);
  const missing = inForce.filter((one) => find(one) === undefined);
  if (missing.length > 0) {
    const names = missing.slice(0, 5).map(({ endpointId, partition }) => `${endpointId} in partition ${partition}`);
    const words = `${missing.length} endpoints that do not follow a partition live (${names.join(', ')})`;
    throw new CommandFailed(`the plan does not say where to go on for ${words}: make it again`);
  }
  return inForce.map((cursor) => {
    const { endpointId, partition } = cursor;
    const source = sources.find((one) => one.partition === partition);
    const position = find(cursor)?.offset ?? 0;
    if (source === undefined || position < source.bounds.start || position > source.bounds.end)
      throw new CommandFailed(`partition ${partition} has no offset ${position}, where ${endpointId} is to go on`);
    return { endpointId, partition, incarnation: source.incarnation, position, run: newRun() };
  });
}
