import type { JsonValue } from '#libs/core';
import { CodecError } from './errors.js';
import type { EventSchema } from './event-schema.js';
import type { DataFault } from './json-fault.js';

/** Why an event's data cannot be had. */
export type Unusable = {
  readonly ok: false;
  /** As in the rejection codes of events. */
  readonly code: 'unknown-event-type' | 'schema-mismatch' | 'invalid-data';
  readonly detail: string;
  /** Pointers within the data; empty when the data as a whole is at fault. */
  readonly faults: readonly DataFault[];
};

/** What was asked for is at fault, not the event. */
export type VersionFault = {
  readonly ok: false;
  readonly code: 'unknown-version' | 'incompatible-version';
  readonly detail: string;
};

export type JsonData = { readonly ok: true; readonly schemaId: number; readonly json: JsonValue } | Unusable;
export type EncodedData = { readonly ok: true; readonly schemaId: number; readonly bytes: Buffer } | Unusable;

export const unusable = (code: Unusable['code'], detail: string, faults: readonly DataFault[] = []): Unusable => ({
  ok: false,
  code,
  detail,
  faults,
});

export function decoded(schema: EventSchema, bytes: Buffer): JsonData {
  try {
    return { ok: true, schemaId: schema.schemaId, json: schema.decode(bytes) };
  } catch (error) {
    if (error instanceof CodecError) return unusable('invalid-data', error.message);
    throw error;
  }
}

/** What the writer wrote as the JSON of another version. */
export function decodedAs(writer: EventSchema, reader: EventSchema, bytes: Buffer): JsonData | VersionFault {
  try {
    const json = writer.decodeAs(reader, bytes);
    if (json !== undefined) return { ok: true, schemaId: reader.schemaId, json };
    const schemas = `schema ${writer.schemaId} cannot be read as schema ${reader.schemaId}`;
    const detail = `${writer.type}: data of ${schemas}: the two are not compatible`;
    return { ok: false, code: 'incompatible-version', detail };
  } catch (error) {
    if (error instanceof CodecError) return unusable('invalid-data', error.message);
    throw error;
  }
}

export function encodedBy(schema: EventSchema, json: JsonValue): EncodedData {
  const result = schema.encode(json);
  if (result.ok) return result;
  const [first] = result.faults;
  const more = result.faults.length > 1 ? ` (and ${result.faults.length - 1} more)` : '';
  return unusable('invalid-data', `${first?.pointer ?? ''} ${first?.detail ?? 'invalid'}${more}`.trim(), result.faults);
}
