import {
  EnvelopeDraft,
  type EventData,
  type EventEnvelope,
  type EventFault,
  type JsonValue,
  type ParsedEvent,
} from './cloud-event.js';
import { contentKind } from './content-type.js';
import { isJsonObject, parseJson, type ParsedJson } from './json-text.js';

/**
 * Content type of what `renderStructuredJson` makes (HTTP binding §3.2). In this spelling alone the CloudEvents SDK for
 * JavaScript takes it, though case means nothing.
 */
export const structuredJsonBodyType = 'application/cloudevents+json; charset=utf-8';

/**
 * The event as a CloudEvents JSON object with JSON data: the default body of a delivery. Nothing in it depends on the
 * endpoint, so it is rendered once per event and shared.
 * @param dataJson JSON text of the data
 */
export function renderStructuredJson(event: Omit<EventEnvelope, 'data'>, dataJson: string): Buffer {
  return Buffer.from(`${attributesJson(event)},"datacontenttype":"application/json","data":${dataJson}}`, 'utf8');
}

/** Everything but data and its content type, without the closing brace. */
function attributesJson(event: Omit<EventEnvelope, 'data'>): string {
  let text =
    `{"specversion":"1.0","id":${JSON.stringify(event.id)},"source":${JSON.stringify(event.source)},` +
    `"type":${JSON.stringify(event.type)}`;
  if (event.time !== undefined) text += `,"time":${JSON.stringify(event.time)}`;
  if (event.subject !== undefined) text += `,"subject":${JSON.stringify(event.subject)}`;
  if (event.dataschema !== undefined) text += `,"dataschema":${JSON.stringify(event.dataschema)}`;
  if (event.tenantid !== undefined) text += `,"tenantid":${JSON.stringify(event.tenantid)}`;
  if (event.partitionkey !== undefined) text += `,"partitionkey":${JSON.stringify(event.partitionkey)}`;
  for (const name in event.extensions) text += `,"${name}":${JSON.stringify(event.extensions[name])}`;
  return text;
}

/** One event in the JSON format, as bytes. */
export function parseStructuredJson(body: Buffer): ParsedEvent {
  const parsed = parseJson(body);
  if (!parsed.ok) return { ok: false, faults: [{ code: 'malformed', pointer: '', detail: parsed.detail }] };
  return eventFromJson(parsed.value, '');
}

/**
 * One event in the JSON format (CloudEvents JSON §3). `null` members count as absent. `data_base64` may hold Avro
 * (datacontenttype `application/avro`) or JSON.
 * @param base JSON pointer of the event in what was sent, for faults
 * @param parse reads JSON that is given as base64
 */
export function eventFromJson(json: JsonValue, base: string, parse = parseJson): ParsedEvent {
  if (!isJsonObject(json))
    return { ok: false, faults: [{ code: 'malformed', pointer: base, detail: 'an event must be a JSON object' }] };
  const draft = new EnvelopeDraft((name) => ({
    pointer: `${base}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`,
  }));
  for (const name of Object.keys(json)) {
    const value = json[name];
    if (name !== 'data' && name !== 'data_base64' && value !== null) draft.set(name, value);
  }
  return draft.finish(dataOf(json, draft, base, parse));
}

function dataOf(
  json: { readonly [name: string]: JsonValue },
  draft: EnvelopeDraft,
  base: string,
  parse: (bytes: Buffer) => ParsedJson,
): EventData | null {
  const fault = (code: EventFault['code'], member: string, detail: string): null => {
    draft.faults.push({ code, pointer: `${base}/${member}`, detail });
    return null;
  };
  const kind = contentKind(draft.datacontenttype ?? 'application/json');
  const base64 = json['data_base64'] ?? null;
  if (kind !== 'avro' && kind !== 'json')
    return fault('unsupported-content-type', 'datacontenttype', 'must be a JSON type or application/avro');
  if (base64 === null) {
    if (kind === 'json') return { kind: 'json', value: json['data'] ?? null };
    return fault('malformed', 'data_base64', 'Avro data must be given as base64');
  }
  if (json['data'] !== undefined && json['data'] !== null)
    return fault('malformed', 'data_base64', 'data and data_base64 exclude each other');
  if (typeof base64 !== 'string' || !isBase64(base64)) return fault('malformed', 'data_base64', 'must be base64');
  const bytes = Buffer.from(base64, 'base64');
  if (kind === 'avro') return { kind: 'avro', bytes };
  const parsed = parse(bytes);
  return parsed.ok ? { kind: 'json', value: parsed.value } : fault('malformed', 'data_base64', parsed.detail);
}

const isBase64 = (text: string): boolean => text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
