/**
 * Headers of records: those of CloudEvents 1.0.2 (Kafka binding; libs/core/src/event/kafka-binding.ts reads and writes
 * them, and may import nothing) and those of our own. All else that our records carry is in their Avro body.
 */

/** In binary mode attributes travel as headers `ce_<name>`, UTF-8, not percent-encoded (binding §3.2.3). */
export const attributeHeaderPrefix = 'ce_';
/** In binary mode the datacontenttype; in structured mode `application/cloudevents+json`. */
export const contentTypeHeader = 'content-type';
export const structuredJsonContentType = 'application/cloudevents+json';
/** Data in the Confluent wire format: a zero byte, a 4-byte schema id, the Avro body. */
export const avroContentType = 'application/avro';

/** On a record of `events.rejected`, which otherwise is as it came. */
export const rejectedHeaders = {
  /** Stable code: malformed, missing-attribute, unknown-event-type, … */
  reason: 'posthorn-reason',
  /** In words. */
  detail: 'posthorn-detail',
  sourcePartition: 'posthorn-source-partition',
  sourceOffset: 'posthorn-source-offset',
  /** What was left out because the record would not have fitted. */
  omitted: 'posthorn-omitted',
} as const;
