/**
 * Reads: posthorn.attempts and posthorn.dead-letters, in the order of each partition.
 * Writes: the rows of the delivery log, with the positions that they come from, in one transaction; disables endpoints.
 * Guarantees: each record is in the rows exactly once, whatever the batches; dropping the rows and reading again gives the same.
 * On a crash here: the transaction is lost as a whole, and the next owner reads from the stored position.
 * Tests: project.consumer.spec.ts, fold.spec.ts, project.int-spec.ts.
 */
import type { Attempt, DeadLetter } from '#libs/contracts';
import type { LogRecord } from '#libs/kafka';
import { CodecError } from '#libs/schema-codec';
import type { LoggedAttempt, LoggedDeadLetter, ProjectionBatch } from '#libs/persistence';
import { foldAttempts } from './fold.js';
import type { Slice } from './record-queue.js';

export interface ProjectCodecs {
  readonly attempt: { decode(bytes: Buffer): Attempt };
  readonly deadLetter: { decode(bytes: Buffer): DeadLetter };
  prepare(values: Iterable<Buffer | null>): Promise<void>;
}

export interface ProjectPorts {
  readonly codecs: ProjectCodecs;
  readonly topics: { readonly attempts: string; readonly deadLetters: string };
  /** Whether an unknown schema is worth another try: the registry that was asked may lag behind the one that knows it. */
  readonly patient: boolean;
  /** A record that is passed over, because it is not what the topic is for. */
  unreadable(record: LogRecord, error: unknown): void;
  /** Lets others run: in one process with a worker, a large batch must not hold up its POSTs. */
  breathe(): Promise<void>;
}

const recordsAtOnce = 200;

/** Turns slices of the log into what is to be written. Rejects only when the schema registry does not answer, or (yet) lacks a schema. */
export async function project(slices: readonly Slice[], ports: ProjectPorts): Promise<ProjectionBatch> {
  const { codecs, topics } = ports;
  const records = slices.flatMap((slice) => slice.records);
  await codecs.prepare(records.map(({ value }) => value));
  const attempts: LoggedAttempt[] = [];
  const deadLetters: LoggedDeadLetter[] = [];
  for (const [index, record] of records.entries()) {
    if (index % recordsAtOnce === recordsAtOnce - 1) await ports.breathe();
    const { topic, partition, offset, timestamp: loggedAt, value } = record;
    try {
      if (value === null) throw new Error('a record without a value');
      if (topic === topics.attempts) {
        attempts.push({ partition, offset, loggedAt, attempt: codecs.attempt.decode(value) });
      } else {
        deadLetters.push({ partition, offset, loggedAt, deadLetter: codecs.deadLetter.decode(value) });
      }
    } catch (error) {
      if (ports.patient && error instanceof CodecError && error.code === 'unknown-schema') throw error;
      // One record that somebody else wrote must not stop the projection of all others.
      ports.unreadable(record, error);
    }
  }
  return {
    advances: slices.map(({ topic, partition, from, to }) => ({ topic, partition, from, to })),
    attempts,
    deadLetters,
    ...foldAttempts(attempts.map(({ attempt }) => attempt)),
  };
}
