import { rejectedHeaders } from '#libs/contracts';
import type { LogRecord, OutgoingRecord } from '#libs/kafka';
import type { Rejection } from './read-events.js';

const longestDetail = 2_000;

/**
 * The record for `posthorn.events.rejected`: key, value and headers as received, and why it was rejected. Beside the
 * reason it says where the original stands, so nothing is lost where a copy would not fit: then the value, and if need be
 * the other headers, are left out, which `posthorn-omitted` says.
 */
export function rejectedRecord(
  record: LogRecord,
  { reason, detail }: Rejection,
  to: { readonly topic: string; readonly maxBytes: number },
): OutgoingRecord {
  const why = {
    [rejectedHeaders.reason]: reason,
    [rejectedHeaders.detail]: detail.slice(0, longestDetail),
    [rejectedHeaders.sourcePartition]: String(record.partition),
    [rejectedHeaders.sourceOffset]: String(record.offset),
  };
  const whole = { topic: to.topic, partition: record.partition, key: record.key, value: record.value };
  const fits = (candidate: OutgoingRecord) => outgoingBytes(candidate) <= to.maxBytes;
  const copy: OutgoingRecord = { ...whole, headers: { ...record.headers, ...why } };
  if (fits(copy)) return copy;
  const bare: OutgoingRecord = {
    ...whole,
    value: null,
    headers: { ...record.headers, ...why, [rejectedHeaders.omitted]: 'value' },
  };
  if (fits(bare)) return bare;
  return {
    topic: to.topic,
    partition: record.partition,
    key: null,
    value: null,
    headers: { ...why, [rejectedHeaders.omitted]: 'key, value, headers' },
  };
}

const perRecord = 96;
const perHeader = 10;

/** An upper bound of what a record takes in a batch, not below the sender's own: what fits here is never refused there. */
export function outgoingBytes({ key, value, headers }: OutgoingRecord): number {
  let bytes = perRecord + (key === null ? 0 : Buffer.byteLength(key)) + (value?.length ?? 0);
  for (const name in headers) {
    const content = headers[name];
    bytes += perHeader + Buffer.byteLength(name) + (content === undefined ? 0 : Buffer.byteLength(content));
  }
  return bytes;
}
