import { EnvelopeDraft, type EventData, type EventEnvelope, type EventFault, type JsonValue } from './cloud-event.js';
import { contentKind } from './content-type.js';
import { strictJson, type StrictJson } from '../json/strict-json.js';
import { utf8Text, type ParsedJson } from './json-text.js';
import type { BindingLimits } from './kafka-binding.js';
import { eventFromJson } from './structured-json.js';

/** Header names in lower case, as Node gives them. */
export type HttpHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

type HttpMode = 'structured' | 'binary' | 'batched';

export type ParsedHttpEvents =
  | { readonly ok: true; readonly mode: HttpMode; readonly events: readonly EventEnvelope[] }
  | { readonly ok: false; readonly faults: readonly EventFault[] };

/**
 * The events of a POST (CloudEvents HTTP binding 1.0.2, all three modes). A batch is taken whole or not at all; its
 * faults point into the array (`/3/id`). JSON must be such that every reader makes the same of it (`strictJson`).
 */
export function parseHttpEvents(headers: HttpHeaders, body: Buffer, limits: BindingLimits): ParsedHttpEvents {
  const contentType = headerText(headers['content-type']);
  const kind = contentType === undefined ? 'other' : contentKind(contentType);
  if (kind === 'batched-json') return batch(body, limits);
  if (kind === 'structured-json') return structured(body, limits);
  const isEvent = Object.keys(headers).some((name) => name.startsWith('ce-'));
  if (!isEvent || contentType?.toLowerCase().startsWith('application/cloudevents') === true)
    return refused({
      code: 'unsupported-content-type',
      header: 'content-type',
      detail:
        'must be application/cloudevents+json, application/cloudevents-batch+json, or application/json or ' +
        'application/avro with ce- headers',
    });
  return binary(headers, contentType, body, limits);
}

function structured(body: Buffer, limits: BindingLimits): ParsedHttpEvents {
  if (body.length > limits.maxBytes) return tooLarge(body.length, '', limits);
  const parsed = strictJson(body);
  if (!parsed.ok) return refused(malformed(parsed));
  const result = eventFromJson(parsed.value, '', strictData);
  return result.ok ? { ok: true, mode: 'structured', events: [result.event] } : result;
}

function batch(body: Buffer, limits: BindingLimits): ParsedHttpEvents {
  const parsed = strictJson(body);
  if (!parsed.ok) return refused(malformed(parsed));
  if (!Array.isArray(parsed.value))
    return refused({ code: 'malformed', pointer: '', detail: 'a batch must be an array' });
  const items = parsed.value as readonly JsonValue[];
  const faults: EventFault[] = [];
  const events: EventEnvelope[] = [];
  for (const [index, item] of items.entries()) {
    // Only a body above the limit can hold an event above it.
    const bytes = body.length > limits.maxBytes ? jsonBytes(item) : 0;
    const result =
      bytes > limits.maxBytes ? tooLarge(bytes, `/${index}`, limits) : eventFromJson(item, `/${index}`, strictData);
    if (!result.ok) faults.push(...result.faults);
    else if ('event' in result) events.push(result.event);
  }
  return faults.length > 0 ? { ok: false, faults } : { ok: true, mode: 'batched', events };
}

/** Size of a value as JSON text. */
const jsonBytes = (value: JsonValue): number => Buffer.byteLength(JSON.stringify(value), 'utf8');

function binary(
  headers: HttpHeaders,
  contentType: string | undefined,
  body: Buffer,
  limits: BindingLimits,
): ParsedHttpEvents {
  const draft = new EnvelopeDraft((name) => ({ header: name === 'datacontenttype' ? 'content-type' : `ce-${name}` }));
  let bytes = body.length;
  for (const name of Object.keys(headers)) {
    const text = headerText(headers[name]);
    if (!name.startsWith('ce-') || text === undefined) continue;
    bytes += name.length + text.length;
    const attribute = name.slice(3);
    if (attribute === 'datacontenttype') {
      draft.faults.push({ code: 'invalid-attribute', header: name, detail: 'belongs into the header Content-Type' });
      continue;
    }
    const value = decodeHeaderValue(text);
    if (value === null) draft.invalid(attribute, 'is not valid percent-encoded UTF-8');
    else draft.set(attribute, value);
  }
  if (bytes > limits.maxBytes) return tooLarge(bytes, '', limits);
  if (contentType !== undefined) draft.set('datacontenttype', contentType);
  const result = draft.finish(binaryData(contentType, body, draft.faults));
  return result.ok ? { ok: true, mode: 'binary', events: [result.event] } : result;
}

function binaryData(contentType: string | undefined, body: Buffer, faults: EventFault[]): EventData | null {
  // An event without data has neither body nor content type.
  if (contentType === undefined && body.length === 0) return { kind: 'json', value: null };
  const kind = contentType === undefined ? 'other' : contentKind(contentType);
  if (kind === 'avro') return { kind: 'avro', bytes: body };
  if (kind === 'json') {
    const parsed = strictJson(body);
    if (parsed.ok) return { kind: 'json', value: parsed.value };
    faults.push(malformed(parsed));
  } else {
    const detail = 'must be application/json or application/avro';
    faults.push({ code: 'unsupported-content-type', header: 'content-type', detail });
  }
  return null;
}

/**
 * Value of a `ce-` header (binding §3.1.3.2): percent-encodes space, `"`, `%` and everything outside U+0021-U+007E as
 * UTF-8 in upper-case hex.
 */
export function encodeHeaderValue(text: string): string {
  let out = '';
  for (const character of text) {
    const code = character.charCodeAt(0);
    const plain = character.length === 1 && code > 0x20 && code < 0x7f && code !== 0x22 && code !== 0x25;
    if (plain) {
      out += character;
      continue;
    }
    for (const byte of Buffer.from(character, 'utf8')) out += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return out;
}

/**
 * Reverse of `encodeHeaderValue`: unquotes, then decodes one round of percent-encoding; lower case and needless encoding
 * are accepted. A `%` that no two hex digits follow stands for itself.
 * @returns null if the bytes are not valid UTF-8
 */
export function decodeHeaderValue(header: string): string | null {
  const text = unquoted(header.trim());
  // Node hands out header bytes one by one as Latin-1, so that a raw UTF-8 value is still whole in its bytes.
  if (!text.includes('%')) return utf8Text(Buffer.from(text, 'latin1'));
  const bytes = Buffer.allocUnsafe(text.length);
  let length = 0;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code > 0xff) return null;
    const hex = code === 0x25 ? text.slice(i + 1, i + 3) : '';
    if (/^[0-9a-fA-F]{2}$/.test(hex)) {
      bytes[length] = Number.parseInt(hex, 16);
      i += 2;
    } else bytes[length] = code;
    length += 1;
  }
  return utf8Text(bytes.subarray(0, length));
}

/** Takes the quotes of a quoted-string (RFC 7230 §3.2.6) and their escapes away. */
function unquoted(text: string): string {
  if (text.length < 2 || !text.startsWith('"') || !text.endsWith('"')) return text;
  return text.slice(1, -1).replace(/\\(.)/g, '$1');
}

const headerText = (value: string | readonly string[] | undefined): string | undefined =>
  value === undefined || typeof value === 'string' ? value : value.join(', ');

/** Of bytes within a body: there is no pointer into them. */
function strictData(bytes: Buffer): ParsedJson {
  const parsed = strictJson(bytes);
  return parsed.ok ? parsed : { ok: false, detail: `${parsed.pointer} ${parsed.detail}`.trimStart() };
}

/** What is no JSON at all has no place, and is nothing else than malformed. */
const malformed = ({ code, pointer, detail }: Extract<StrictJson, { ok: false }>): EventFault =>
  code === 'malformed-json'
    ? { code: 'malformed', pointer, detail: `not valid JSON: ${detail}` }
    : { code: 'malformed', kind: code, pointer, detail };

const refused = (fault: EventFault): { ok: false; faults: readonly EventFault[] } => ({ ok: false, faults: [fault] });

const tooLarge = (bytes: number, pointer: string, { maxBytes }: BindingLimits) =>
  refused({ code: 'too-large', pointer, detail: `${bytes} bytes; at most ${maxBytes} bytes are accepted` });
