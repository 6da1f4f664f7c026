import { EnvelopeDraft, type EventData, type EventEnvelope, type EventFault, type ParsedEvent } from './cloud-event.js';
import { contentKind, type ContentKind } from './content-type.js';
import { parseJson, utf8Text } from './json-text.js';
import { parseStructuredJson } from './structured-json.js';

/** What the binding looks at of a record. */
export interface BoundRecord {
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer>>;
}

export interface BindingLimits {
  /** Value and headers together, in bytes. */
  readonly maxBytes: number;
}

const place = (name: string) => ({ header: name === 'datacontenttype' ? 'content-type' : `ce_${name}` });

/**
 * A record of the events topic as an event (CloudEvents Kafka binding 1.0.2): binary mode with Avro or JSON data, or
 * structured JSON. Avro bytes are not copied; whether they decode is the codec's to say.
 */
export function parseKafkaEvent(record: BoundRecord, limits: BindingLimits): ParsedEvent {
  const { value, headers } = record;
  if (value === null) return refused({ code: 'malformed', detail: 'the record has no value' });
  const bytes = value.length + headerBytes(headers);
  if (bytes > limits.maxBytes)
    return refused({ code: 'too-large', detail: `${bytes} bytes; at most ${limits.maxBytes} are accepted` });
  const header = headers['content-type'];
  const contentType = header === undefined ? undefined : header.toString('utf8');
  const kind = contentType === undefined ? 'other' : contentKind(contentType);
  if (kind === 'structured-json') return parseStructuredJson(value);
  return binaryEvent(value, headers, contentType, kind);
}

const plainTypes = ['application/avro', 'application/json'].map((name) => Buffer.from(name));

/**
 * Whether a record is certainly no event of the tenant (`tenantOf`), by one header or the key, so that a reader of one
 * tenant's events need not parse the others'. False also where that takes more than a look.
 * @param tenantId its bytes
 */
export function isOfAnotherTenant(
  { headers, key }: BoundRecord & { readonly key: Buffer | null },
  tenantId: Buffer,
): boolean {
  const contentType = headers['content-type'];
  // Structured events carry the tenant within their value.
  if (contentType === undefined || !plainTypes.some((plain) => plain.equals(contentType))) return false;
  const named = headers['ce_tenantid'] ?? key;
  return named === null || !named.equals(tenantId);
}

function binaryEvent(
  value: Buffer,
  headers: Readonly<Record<string, Buffer>>,
  contentType: string | undefined,
  kind: ContentKind,
): ParsedEvent {
  const draft = new EnvelopeDraft(place);
  for (const name in headers) {
    if (!name.startsWith('ce_')) continue;
    const bytes = headers[name];
    if (bytes === undefined) continue;
    const attribute = name.slice(3);
    const text = utf8Text(bytes);
    if (attribute === 'datacontenttype')
      draft.faults.push({ code: 'invalid-attribute', header: name, detail: 'belongs into the header content-type' });
    else if (text === null) draft.invalid(attribute, 'is not valid UTF-8');
    else draft.set(attribute, text);
  }
  if (contentType !== undefined) draft.set('datacontenttype', contentType);
  return draft.finish(dataOf(value, contentType, kind, draft.faults));
}

function dataOf(
  value: Buffer,
  contentType: string | undefined,
  kind: ContentKind,
  faults: EventFault[],
): EventData | null {
  if (kind === 'avro') return { kind: 'avro', bytes: value };
  if (kind === 'json') {
    const parsed = parseJson(value);
    if (parsed.ok) return { kind: 'json', value: parsed.value };
    faults.push({ code: 'malformed', pointer: '', detail: parsed.detail });
    return null;
  }
  const accepted = 'application/avro, application/json or application/cloudevents+json';
  const detail = contentType === undefined ? `missing: must be ${accepted}` : `must be ${accepted}`;
  faults.push({ code: 'unsupported-content-type', header: 'content-type', detail });
  return null;
}

/**
 * The event as a record in binary mode: what REST ingest and Avro producers append.
 * @param avro data in the Confluent wire format
 */
export function toKafkaRecord(
  event: Omit<EventEnvelope, 'data' | 'datacontenttype'>,
  avro: Buffer,
): { readonly value: Buffer; readonly headers: Record<string, string> } {
  const headers: Record<string, string> = {
    'content-type': 'application/avro',
    ce_specversion: '1.0',
    ce_id: event.id,
    ce_source: event.source,
    ce_type: event.type,
  };
  if (event.time !== undefined) headers['ce_time'] = event.time;
  if (event.subject !== undefined) headers['ce_subject'] = event.subject;
  if (event.tenantid !== undefined) headers['ce_tenantid'] = event.tenantid;
  if (event.partitionkey !== undefined) headers['ce_partitionkey'] = event.partitionkey;
  if (event.dataschema !== undefined) headers['ce_dataschema'] = event.dataschema;
  for (const name in event.extensions) headers[`ce_${name}`] = String(event.extensions[name]);
  return { value: avro, headers };
}

function headerBytes(headers: Readonly<Record<string, Buffer>>): number {
  let bytes = 0;
  for (const name in headers) bytes += name.length + (headers[name]?.length ?? 0);
  return bytes;
}

const refused = (fault: EventFault): ParsedEvent => ({ ok: false, faults: [fault] });
