import { ByteReader } from './byte-reader.js';
import type { OwnRequest } from './broker-link.js';
import type { TopicPartition } from './ports.js';

export interface PartitionBatch extends TopicPartition {
  readonly bytes: Buffer;
}

export interface ProduceAnswer extends TopicPartition {
  /** Kafka's error code; 0: all in-sync replicas have the batch. */
  readonly errorCode: number;
  readonly baseOffset: number;
}

/** Produce v7: acks of all in-sync replicas, one batch per partition. `timeoutMs` is how long the broker waits for them. */
export function encodeProduce(batches: readonly PartitionBatch[], timeoutMs: number): OwnRequest {
  const byTopic = Map.groupBy(batches, ({ topic }) => topic);
  let size = 2 + 2 + 4 + 4;
  for (const [topic, ofTopic] of byTopic) {
    size += 2 + Buffer.byteLength(topic) + 4;
    for (const { bytes } of ofTopic) size += 8 + bytes.length;
  }
  const body = Buffer.allocUnsafe(size);
  let at = body.writeInt16BE(-1, 0);
  at = body.writeInt16BE(-1, at);
  at = body.writeInt32BE(timeoutMs, at);
  at = body.writeInt32BE(byTopic.size, at);
  for (const [topic, ofTopic] of byTopic) {
    at = body.writeInt16BE(Buffer.byteLength(topic), at);
    at += body.write(topic, at);
    at = body.writeInt32BE(ofTopic.length, at);
    for (const { partition, bytes } of ofTopic) {
      at = body.writeInt32BE(partition, at);
      at = body.writeInt32BE(bytes.length, at);
      at += bytes.copy(body, at);
    }
  }
  return { apiKey: 0, apiName: 'Produce', apiVersion: 7, body };
}

export function decodeProduce(raw: Buffer): readonly ProduceAnswer[] {
  const reader = new ByteReader(raw);
  const answers: ProduceAnswer[] = [];
  for (let topics = reader.int32(); topics > 0; topics--) {
    const topic = reader.string();
    for (let partitions = reader.int32(); partitions > 0; partitions--) {
      const partition = reader.int32();
      const errorCode = reader.int16();
      const baseOffset = reader.int64();
      reader.move(16); // append time, log start
      answers.push({ topic, partition, errorCode, baseOffset });
    }
  }
  return answers;
}
