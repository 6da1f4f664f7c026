import { parseRfc3339 } from './rfc3339.js';

/** What JSON can hold. */
export type JsonValue =
  null | boolean | number | string | readonly JsonValue[] | { readonly [name: string]: JsonValue };

/** The data of an event: Avro in the Confluent wire format (zero byte, 4-byte schema id, body), or JSON. */
export type EventData =
  { readonly kind: 'avro'; readonly bytes: Buffer } | { readonly kind: 'json'; readonly value: JsonValue };

export type ExtensionValue = string | number | boolean;

/** A CloudEvent (1.0.2) as Posthorn holds it, whatever binding it came in. Attributes that it lacks are undefined. */
export interface EventEnvelope {
  readonly id: string;
  readonly source: string;
  /** Also the Avro full name of its data: `task.updated`. */
  readonly type: string;
  /** RFC 3339, as it came. */
  readonly time?: string | undefined;
  readonly subject?: string | undefined;
  /** Extension of ours: the tenant that the event belongs to. */
  readonly tenantid?: string | undefined;
  /** CloudEvents partitioning extension: events with the same key keep their order. */
  readonly partitionkey?: string | undefined;
  readonly datacontenttype?: string | undefined;
  readonly dataschema?: string | undefined;
  /** All further attributes. */
  readonly extensions: Readonly<Record<string, ExtensionValue>>;
  readonly data: EventData;
}

/** Why an event is not taken. Stable: part of the REST API and of the rejected records. */
export type RejectionCode =
  | 'malformed'
  | 'missing-attribute'
  | 'invalid-attribute'
  | 'unsupported-content-type'
  | 'unknown-event-type'
  | 'schema-mismatch'
  | 'invalid-data'
  | 'unknown-tenant'
  | 'too-large';

/** One fault of an event. `header` or `pointer` (JSON pointer into the body) says where, as the event was sent. */
export interface EventFault {
  readonly code: RejectionCode;
  /** More closely; it is what the API shows. */
  readonly kind?: string;
  readonly detail: string;
  readonly header?: string;
  readonly pointer?: string;
}

/** Where an attribute stood. */
export type FaultPlace = { readonly header: string } | { readonly pointer: string };

export type ParsedEvent =
  { readonly ok: true; readonly event: EventEnvelope } | { readonly ok: false; readonly faults: readonly EventFault[] };

/** The tenant of an event: the extension `tenantid`, else the record key; null when there is neither. */
export function tenantOf(event: Pick<EventEnvelope, 'tenantid'>, recordKey: Buffer | string | null): string | null {
  if (event.tenantid !== undefined) return event.tenantid;
  if (recordKey === null || recordKey.length === 0) return null;
  return typeof recordKey === 'string' ? recordKey : recordKey.toString('utf8');
}

/** What events keep their order by: partitionkey, else subject; null is the key shared by all that have neither. */
export function orderingKeyOf(event: Pick<EventEnvelope, 'partitionkey' | 'subject'>): string | null {
  return event.partitionkey ?? event.subject ?? null;
}

/** CloudEvents §3.1: `[a-z0-9]`, starting with a letter (SPECS), at most 20 characters, never `data`. */
export function isAttributeName(name: string): boolean {
  if (name.length === 0 || name.length > 20 || name === 'data') return false;
  for (let i = 0; i < name.length; i += 1) {
    const code = name.charCodeAt(i);
    const letter = code >= 97 && code <= 122;
    if (!letter && !(i > 0 && code >= 48 && code <= 57)) return false;
  }
  return true;
}

/** `[a-zA-Z0-9_]` words with dots between them (Standard Webhooks). */
export function isEventType(type: string): boolean {
  let word = 0;
  for (let i = 0; i < type.length; i += 1) {
    const code = type.charCodeAt(i);
    if (code === 46) {
      if (word === 0) return false;
      word = 0;
      continue;
    }
    const wordCharacter =
      (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || (code >= 48 && code <= 57) || code === 95;
    if (!wordCharacter) return false;
    word += 1;
  }
  return word > 0;
}

/** CloudEvents type `String`: no control characters, no lone surrogates, no non-characters. */
export function isAttributeString(text: string): boolean {
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || (code >= 0x7f && code <= 0x9f)) return false;
    if (code < 0xd800) continue;
    if (code <= 0xdbff) {
      const low = text.charCodeAt(i + 1);
      if (!(low >= 0xdc00 && low <= 0xdfff) || ((low & 0x3fe) === 0x3fe && (code & 0x3f) === 0x3f)) return false;
      i += 1;
    } else if (code <= 0xdfff || (code >= 0xfdd0 && code <= 0xfdef) || code >= 0xfffe) return false;
  }
  return true;
}

const maxInteger = 2_147_483_647;
const required = ['id', 'source', 'type', 'specversion'] as const;

/** Takes attributes one by one, whatever binding they come from, and collects every fault. */
export class EnvelopeDraft {
  readonly faults: EventFault[] = [];
  readonly #place: (name: string) => FaultPlace;
  #id: string | undefined;
  #source: string | undefined;
  #type: string | undefined;
  #specversion: string | undefined;
  #time: string | undefined;
  #subject: string | undefined;
  #tenantid: string | undefined;
  #partitionkey: string | undefined;
  #datacontenttype: string | undefined;
  #dataschema: string | undefined;
  readonly #extensions: Record<string, ExtensionValue> = {};

  /** @param place where the attribute of this name stands, for faults */
  constructor(place: (name: string) => FaultPlace) {
    this.#place = place;
  }

  /** The attribute was there, whether valid or not. */
  set(name: string, value: unknown): void {
    switch (name) {
      case 'id':
        this.#id = this.#text(name, value);
        return;
      case 'source':
        this.#source = this.#reference(name, value);
        return;
      case 'type':
        this.#type = this.#text(name, value);
        if (this.#type !== '' && !isEventType(this.#type))
          this.invalid(name, 'must consist of the characters [a-zA-Z0-9_] with single dots between words');
        return;
      case 'specversion':
        this.#specversion = '1.0';
        if (value !== '1.0') this.invalid(name, 'must be 1.0');
        return;
      case 'time':
        this.#time = this.#text(name, value);
        if (this.#time !== '' && parseRfc3339(this.#time) === null) this.invalid(name, 'must be an RFC 3339 date-time');
        return;
      case 'subject':
        this.#subject = this.#text(name, value);
        return;
      case 'tenantid':
        this.#tenantid = this.#text(name, value);
        return;
      case 'partitionkey':
        this.#partitionkey = this.#text(name, value);
        return;
      case 'datacontenttype':
        this.#datacontenttype = this.#text(name, value);
        return;
      case 'dataschema':
        this.#dataschema = this.#reference(name, value);
        return;
      default:
        this.#extension(name, value);
    }
  }

  get datacontenttype(): string | undefined {
    return this.#datacontenttype;
  }

  /** Notes a fault of an attribute. */
  invalid(name: string, detail: string): void {
    this.faults.push({ code: 'invalid-attribute', ...this.#place(name), detail: `${name} ${detail}` });
  }

  /** @param data null when the data has a fault, which is noted already */
  finish(data: EventData | null): ParsedEvent {
    const present = { id: this.#id, source: this.#source, type: this.#type, specversion: this.#specversion };
    for (const name of required) {
      if (present[name] === undefined)
        this.faults.push({ code: 'missing-attribute', ...this.#place(name), detail: `${name} is required` });
    }
    const { id, source, type } = present;
    if (data === null || this.faults.length > 0 || id === undefined || source === undefined || type === undefined)
      return { ok: false, faults: this.faults };
    return {
      ok: true,
      event: {
        id,
        source,
        type,
        time: this.#time,
        subject: this.#subject,
        tenantid: this.#tenantid,
        partitionkey: this.#partitionkey,
        datacontenttype: this.#datacontenttype,
        dataschema: this.#dataschema,
        extensions: this.#extensions,
        data,
      },
    };
  }

  /** A non-empty string; an empty one stands for what was faulty. */
  #text(name: string, value: unknown): string {
    if (typeof value !== 'string') this.invalid(name, 'must be a string');
    else if (value === '') this.invalid(name, 'must not be empty');
    else if (!isAttributeString(value)) this.invalid(name, 'must not hold control characters or invalid Unicode');
    else return value;
    return '';
  }

  /** A URI or a relative reference: checked for what would break a reader, not parsed. */
  #reference(name: string, value: unknown): string {
    const text = this.#text(name, value);
    if (/[\s<>"\\^`{}|]/.test(text)) this.invalid(name, 'must be a URI reference');
    return text;
  }

  #extension(name: string, value: unknown): void {
    if (!isAttributeName(name)) {
      const rule = '[a-z0-9], starting with a letter, at most 20 characters, not "data"';
      this.faults.push({
        code: 'invalid-attribute',
        ...this.#place(name),
        detail: `${JSON.stringify(name.slice(0, 64))} is not an attribute name: ${rule}`,
      });
    } else if (typeof value === 'boolean') this.#extensions[name] = value;
    else if (typeof value === 'number') {
      if (Number.isInteger(value) && Math.abs(value) <= maxInteger + (value < 0 ? 1 : 0))
        this.#extensions[name] = value;
      else this.invalid(name, 'must be a 32-bit integer, a boolean or a string');
    } else if (typeof value !== 'string') this.invalid(name, 'must be a string, a boolean or an integer');
    else if (!isAttributeString(value)) this.invalid(name, 'must not hold control characters or invalid Unicode');
    else this.#extensions[name] = value;
  }
}
