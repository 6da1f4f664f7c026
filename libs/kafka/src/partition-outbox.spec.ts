// Real: the outbox of one partition. Played by the test: the sender, and the broker that remembers sequences.
import { expect, it } from 'vitest';
import { PartitionOutbox, SendCall } from './partition-outbox.js';

const identity = { producerId: 1n, producerEpoch: 0 };

function queued(outbox: PartitionOutbox, value: string): SendCall {
  const record = { topic: 't', partition: 0, key: null, value: Buffer.from(value) };
  const call = new SendCall([record], {});
  outbox.add(record, call, 0);
  return call;
}

/** One try, as the sender makes it. @returns under which sequence of `identity`; null: under a fresh producer's */
function tried(outbox: PartitionOutbox): number | null {
  const batch = outbox.take(1_000_000, 100);
  if (batch === null) throw new Error('nothing to send');
  batch.tries += 1;
  return outbox.producer === null ? null : outbox.stamp(identity).sequence;
}

it('gives no sequence to other records when a batch is refused that an unanswered try may have written', async () => {
  const outbox = new PartitionOutbox('t', 0);
  outbox.begin(identity);
  const first = queued(outbox, 'a');
  expect([tried(outbox), tried(outbox)]).toEqual([0, 0]);
  outbox.refused('refused', 'not authorized');
  await expect(first.done).rejects.toMatchObject({ code: 'refused' });
  queued(outbox, 'b');
  expect(tried(outbox)).toBeNull();
});

it('keeps its producer when the only try of a batch was refused', async () => {
  const outbox = new PartitionOutbox('t', 0);
  outbox.begin(identity);
  const first = queued(outbox, 'a');
  tried(outbox);
  outbox.refused('refused', 'not authorized');
  await expect(first.done).rejects.toMatchObject({ code: 'refused' });
  queued(outbox, 'b');
  expect(tried(outbox)).toBe(0);
});
