// Real: the copy of a rejected record, and the sender's limit (the in-memory double's, which is that of Kafka's sender).
import { expect, it } from 'vitest';
import { InMemoryLog, type LogRecord } from '#libs/kafka';
import { rejectedRecord } from './reject.js';

const maxBytes = 1_000_000;

it('is never larger than the sender takes, however many headers the record has', async () => {
  const log = new InMemoryLog();
  log.createTopic('r', 1);
  const headers = Object.fromEntries(Array.from({ length: 2_000 }, (_, i) => [`h${i}`, Buffer.from('x')]));
  for (let bytes = 964_000; bytes < 976_000; bytes += 1_000) {
    const value = Buffer.alloc(bytes);
    const record: LogRecord = { topic: 'e', partition: 0, offset: 0, timestamp: 7, key: null, value, headers };
    const copy = rejectedRecord(record, { reason: 'malformed', detail: 'not an event' }, { topic: 'r', maxBytes });
    await expect(log.sender().send([copy])).resolves.toHaveLength(1);
  }
});
