import type { EventEnvelope } from './cloud-event.js';
import { encodeHeaderValue } from './http-binding.js';
import { renderStructuredJson, structuredJsonBodyType } from './structured-json.js';

/**
 * How an event is POSTed:
 * - `structured`: CloudEvents JSON (HTTP binding §3.2)
 * - `binary`: the data, with the attributes as `ce-` headers (§3.1)
 * - `standard`: `type`, `timestamp` and `data` (Standard Webhooks, Payload structure)
 * - `data`: the data and nothing else
 */
export type DeliveryFormat = 'structured' | 'binary' | 'standard' | 'data';

/** What is POSTed, but for what depends on the endpoint's secret and the time. */
export interface RenderedEvent {
  readonly contentType: string;
  /** Further request headers that belong to the form; names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** What rendering needs of an event. */
export type EventAttributes = Omit<EventEnvelope, 'data'>;

/** Content type of JSON data: UTF-8, which needs no parameter (RFC 8259 §11). */
const jsonBodyType = 'application/json';
/** Content type of a batch of `structured` (HTTP binding §3.3). */
const structuredBatchBodyType = 'application/cloudevents-batch+json; charset=utf-8';

const noHeaders: Readonly<Record<string, string>> = Object.freeze({});

/**
 * Renders an event. Nothing in it depends on the endpoint, so that it is made once and shared.
 * @param dataJson JSON text of the data
 * @param acceptedAt Unix ms: the timestamp of `standard` for an event without `time`
 */
export function renderEvent(
  format: DeliveryFormat,
  event: EventAttributes,
  dataJson: string,
  acceptedAt: number,
): RenderedEvent {
  switch (format) {
    case 'structured': {
      return { contentType: structuredJsonBodyType, headers: noHeaders, body: renderStructuredJson(event, dataJson) };
    }
    case 'binary':
      return { contentType: jsonBodyType, headers: attributeHeaders(event), body: Buffer.from(dataJson, 'utf8') };
    case 'standard': {
      const timestamp = JSON.stringify(event.time ?? new Date(acceptedAt).toISOString());
      const text = `{"type":${JSON.stringify(event.type)},"timestamp":${timestamp},"data":${dataJson}}`;
      return { contentType: jsonBodyType, headers: noHeaders, body: Buffer.from(text, 'utf8') };
    }
    case 'data':
      return { contentType: jsonBodyType, headers: noHeaders, body: Buffer.from(dataJson, 'utf8') };
  }
}

/**
 * Content type of a JSON array of bodies of this type (CloudEvents JSON format §4); null: they cannot be put into one. Of
 * `binary` no batch is made either: what its headers say would be lost (HTTP binding §3.3).
 */
export function batchBodyType(contentType: string): string | null {
  if (contentType.startsWith('application/cloudevents+json')) return structuredBatchBodyType;
  return contentType.startsWith(jsonBodyType) ? jsonBodyType : null;
}

/** Whether attributes of the event are headers, which a batch has no place for (HTTP binding §3.3). */
export function hasAttributeHeaders(headers: RenderedEvent['headers']): boolean {
  for (const name in headers) if (name.slice(0, 3).toLowerCase() === 'ce-') return true;
  return false;
}

/** Attributes as the HTTP binding has them in binary mode (§3.1.3): `ce-` names, percent-encoded values. */
function attributeHeaders(event: EventAttributes): Readonly<Record<string, string>> {
  const headers: Record<string, string> = { 'ce-specversion': '1.0' };
  const { id, source, type, time, subject, dataschema, tenantid, partitionkey } = event;
  for (const [name, value] of Object.entries({ id, source, type, time, subject, dataschema, tenantid, partitionkey }))
    if (value !== undefined) headers[`ce-${name}`] = encodeHeaderValue(value);
  for (const [name, value] of Object.entries(event.extensions))
    headers[`ce-${name}`] = encodeHeaderValue(String(value));
  return headers;
}
