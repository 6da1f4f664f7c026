import type { Delivery, EndOfSpace } from '#libs/contracts';
import type { Cursor, SendLimits } from '#libs/core';
import type { LogReader, TopicPartition } from '#libs/kafka';
import { Appending, type AppendingPorts } from '../appending.js';
import type { EndpointDirectory } from '../endpoint-directory.js';
import type { FormPorts } from '../forms/event-forms.js';
import type { EventReader } from '../read-events.js';
import { messageOf, type Surroundings } from '../surroundings.js';
import type { Turnstile } from '../turnstile.js';
import { BulkDeliveries } from './bulk-deliveries.js';
import { CatchUp } from './catch-up.js';
import { CursorKeeper } from './cursor-keeper.js';
import type { CursorStore } from './cursor-store.js';
import { CursorWriter } from './cursor-writer.js';
import type { EndpointLoads } from './endpoint-loads.js';
import { Freezing, type CursorRule, type Pipeline } from './freezing.js';
import type { FreezeWishes } from './freeze-wishes.js';
import type { PartitionCursors } from './partition-cursors.js';
import { Scans } from './scans.js';

export interface CursorCounts {
  endpointsFrozen(count: number): void;
  endpointsJoined(count: number): void;
  deliveriesCaughtUp(count: number): void;
  eventsLost(count: number): void;
}

/** What the cursors of all partitions of a process share. */
export interface CursorPorts {
  readonly store: CursorStore;
  readonly directory: EndpointDirectory;
  readonly wishes: FreezeWishes;
  readonly loads: EndpointLoads;
  readonly events: EventReader;
  readonly forms: FormPorts;
  readonly reader: Pick<LogReader, 'bounds' | 'range'>;
  readonly repeatWindow: number;
  /** With a sender of its own: what is caught up must not stand before live deliveries. */
  readonly append: AppendingPorts;
  readonly codecs: {
    readonly delivery: { encode(delivery: Delivery): Buffer };
    readonly endOfSpace: { encode(end: EndOfSpace): Buffer };
  };
  readonly deliveries: { readonly topic: string; readonly partitions: number };
  readonly send: SendLimits;
  readonly maxRecordBytes: number;
  readonly counts: CursorCounts;
  readonly turnstile: Turnstile;
  readonly around: Surroundings;
  readonly without: ReadonlySet<CursorRule>;
}

/** A source partition that was taken over, with its cursors. */
export interface KeptPartition {
  readonly at: TopicPartition;
  readonly incarnation: number;
  readonly epoch: number;
  readonly cursors: PartitionCursors;
  readonly pipeline: Pipeline;
  /** Another owner has taken it over: nothing of it is ours any more. */
  superseded(): void;
}

/** Puts together what keeps the cursors of one source partition. */
export function keepCursors(kept: KeptPartition, ports: CursorPorts): CursorKeeper {
  const { at, incarnation, epoch, cursors, pipeline } = kept;
  const { store, directory, wishes, loads, events, codecs, deliveries, counts, around, without } = ports;
  const { partition } = at;
  const wanted = (): boolean => !pipeline.isStopped;
  const writer = new CursorWriter(store, { partition, epoch }, wanted, () => kept.superseded(), around);
  const appending = new Appending(ports.append, wanted, (what, error) =>
    around.log.warn({ partition, reason: messageOf(error) }, what),
  );
  const freezing = new Freezing({
    pipeline,
    cursors,
    writer,
    store,
    wishes,
    incarnation,
    without,
    newRun: (nth) => `f${epoch}.${around.now().toString(36)}.${nth}`,
    frozen: (count) => counts.endpointsFrozen(count),
  });
  for (const cursor of cursors.book) {
    if (cursor.incarnation === incarnation) continue;
    const { endpointId, run, position } = cursor;
    around.log.error(
      { endpointId, run, partition, position, incarnation },
      'a cursor names offsets of another log, and is not moved: `posthorn incarnation open` again, which takes it along',
    );
  }
  const newBulk = (): BulkDeliveries =>
    new BulkDeliveries({
      appending,
      encoder: codecs.delivery,
      topic: deliveries.topic,
      limits: ports.send,
      maxRecordBytes: ports.maxRecordBytes,
      loads,
    });
  const lost = ({ endpointId, run, position }: Cursor, start: number): void => {
    counts.eventsLost(start - position);
    around.log.error(
      { endpointId, run, partition, position, start },
      'the log no longer reaches back to where an endpoint stands: what lies between was lost to retention',
    );
  };
  const catchUp = new CatchUp({
    pipeline,
    cursors,
    writer,
    wishes,
    loads,
    subscribers: directory,
    events,
    scans: new Scans(at, ports),
    turnstile: ports.turnstile,
    newBulk,
    forms: ports.forms,
    source: { partition, incarnation },
    now: () => around.now(),
    monotonic: () => around.monotonic(),
    without,
    tell: {
      caughtUp: (count) => counts.deliveriesCaughtUp(count),
      joined: (count) => counts.endpointsJoined(count),
      lost,
    },
  });
  return new CursorKeeper({
    cursors,
    writer,
    store,
    freezing,
    catchUp,
    wishes,
    directory,
    appending,
    endOfSpace: codecs.endOfSpace,
    deliveries,
    partition,
    around,
  });
}
