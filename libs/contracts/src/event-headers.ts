/** CloudEvents 1.0.2, Kafka protocol binding: header names of the binary mode, and content types. */

/** Attributes travel as headers `ce_<name>`, UTF-8, not percent-encoded (binding §3.2.3). */
export const attributeHeaderPrefix = 'ce_';
/** In binary mode the datacontenttype; in structured mode `application/cloudevents+json`. */
export const contentTypeHeader = 'content-type';

export const structuredJsonContentType = 'application/cloudevents+json';
export const batchedJsonContentType = 'application/cloudevents-batch+json';
/** Data in the Confluent wire format: a zero byte, a 4-byte schema id, the Avro body. */
export const avroContentType = 'application/avro';
export const jsonContentType = 'application/json';
