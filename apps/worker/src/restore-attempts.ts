import type { Attempt } from '#libs/contracts';
import type { LogReader, TopicPartition } from '#libs/kafka';
import type { PlatformCodecs } from '#libs/schema-codec';
import type { OwnedPartition } from './owned-partition.js';

export interface AttemptsRange {
  readonly at: TopicPartition;
  readonly from: number;
  readonly to: number;
  /** Commit of `deliveries`: what has a lower `pos` is read there no more. */
  readonly committed: number;
}

export interface AttemptsPorts {
  readonly reader: Pick<LogReader, 'range'>;
  readonly codecs: Pick<PlatformCodecs, 'attempt' | 'prepare'>;
  readonly disableWish: (attempt: Attempt) => void;
}

/**
 * Folds the attempts of former owners: what is closed, and which POSTs began without an outcome. Only of deliveries that
 * are outstanding, or of which a copy may still be read, is anything kept.
 * @returns offset of the last Attempt that settled something; -1 when there is none
 */
export async function closeByAttempts(
  partition: OwnedPartition,
  { at, from, to, committed }: AttemptsRange,
  { reader, codecs, disableWish }: AttemptsPorts,
): Promise<number> {
  let settling = -1;
  for await (const records of reader.range(at, from, to)) {
    await codecs.prepare(records.map((record) => record.value));
    for (const { offset, value } of records) {
      if (value === null) continue;
      const attempt = codecs.attempt.decode(value);
      const { deliveryId, pos, outcome, final } = attempt;
      if (outcome === 'started') {
        partition.started.set(deliveryId, (partition.started.get(deliveryId) ?? 0) + 1);
        continue;
      }
      if (outcome === 'disable') disableWish(attempt);
      settling = offset;
      partition.started.delete(deliveryId);
      if (!final) continue;
      const entry = partition.ledger.get(deliveryId);
      if (entry !== undefined) partition.close(entry);
      if (pos >= committed) partition.closed.add(deliveryId);
    }
  }
  for (const [id, count] of partition.started) {
    const entry = partition.ledger.get(id);
    if (entry === undefined) continue;
    const whole = entry.batch ?? entry;
    whole.started = Math.max(whole.started, count);
  }
  return settling;
}
