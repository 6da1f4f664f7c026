import { messageOf } from '../surroundings.js';
import { Appending } from '../appending.js';
import { BulkDeliveries } from '../cursors/bulk-deliveries.js';
import { CursorWriter } from '../cursors/cursor-writer.js';
import type { CursorPorts, KeptPartition } from '../cursors/keep-cursors.js';
import type { PlatformCodecs } from '#libs/schema-codec';
import { DeadLetterSource } from './dead-letter-source.js';
import { EventSource } from './event-source.js';
import { ReplayKeeper } from './replay-keeper.js';
import { ReplayRun, type ReplayRunPorts, type ReplayStanding } from './replay-run.js';
import type { ReplayPart, ReplayStore } from './replay-store.js';

export interface ReplayPorts {
  readonly store: ReplayStore;
  readonly codecs: Pick<PlatformCodecs, 'prepare' | 'deadLetter'>;
  readonly topics: { readonly events: string; readonly deadLetters: string };
}

/** Puts together what runs the replays of one source partition. */
export function keepReplays(kept: KeptPartition, shared: CursorPorts, ports: ReplayPorts): ReplayKeeper {
  const { at, incarnation, epoch, pipeline } = kept;
  const { directory, loads, deliveries, codecs, around, counts, turnstile } = shared;
  const ownedBy = at.partition;
  const wanted = (): boolean => !pipeline.isStopped;
  const writer = new CursorWriter(shared.store, { partition: ownedBy, epoch }, wanted, () => kept.superseded(), around);
  const appending = new Appending(shared.append, wanted, (what, error) =>
    around.log.warn({ partition: ownedBy, reason: messageOf(error) }, what),
  );
  const now = (): number => around.now();
  const runPorts: ReplayRunPorts = {
    ownedBy,
    writer,
    store: ports.store,
    loads,
    isCostly: (endpointId) => shared.wishes.isCostly(endpointId),
    directory,
    appending,
    newBulk: () =>
      new BulkDeliveries({
        appending,
        encoder: codecs.delivery,
        topic: deliveries.topic,
        limits: shared.send,
        maxRecordBytes: shared.maxRecordBytes,
        loads,
      }),
    async endOf({ source, partition, incarnation: of }) {
      if (source === 'events' && of !== incarnation) return -1;
      const topic = source === 'events' ? ports.topics.events : ports.topics.deadLetters;
      const [bounds] = await shared.reader.bounds([{ topic, partition }]);
      return bounds?.end ?? -1;
    },
    endOfSpace: codecs.endOfSpace,
    deliveries,
    monotonic: () => around.monotonic(),
    lost({ replayId, partition }, records) {
      counts.eventsLost(records);
      around.log.error({ replayId, partition, records }, 'the log no longer reaches back to where a replay stands');
    },
  };
  const newRun = (part: ReplayPart, standing: ReplayStanding): ReplayRun => {
    const { partition } = part;
    if (part.source === 'dead-letters') {
      const source = new DeadLetterSource(
        part,
        { topic: ports.topics.deadLetters, partition },
        {
          ...ports,
          reader: shared.reader,
          transformations: shared.forms.transformations,
          now,
        },
      );
      return new ReplayRun(part, standing, source, runPorts);
    }
    const { reader, events, repeatWindow } = shared;
    const source = new EventSource(
      part,
      { topic: ports.topics.events, partition },
      {
        reader,
        events,
        repeatWindow,
        directory,
        store: ports.store,
        forms: shared.forms,
        now,
      },
    );
    return new ReplayRun(part, standing, source, runPorts);
  };
  return new ReplayKeeper({ ownedBy, store: ports.store, directory, pipeline, turnstile, appending, newRun, around });
}
