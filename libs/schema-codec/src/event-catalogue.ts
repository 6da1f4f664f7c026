import type { EventData, JsonValue } from '#libs/core';
import { CodecError, RegistryUnavailable } from './errors.js';
import { EventSchema } from './event-schema.js';
import type { DataFault } from './json-fault.js';
import type { Registry } from './registry.js';
import { schemaIdOf } from './wire-format.js';

/** The data of an event with its type: an `EventEnvelope` is one. */
interface TypedData {
  readonly type: string;
  readonly data: EventData;
}

type Unusable = {
  readonly ok: false;
  /** As in the rejection codes of events. */
  readonly code: 'unknown-event-type' | 'schema-mismatch' | 'invalid-data';
  readonly detail: string;
  /** Pointers within the data; empty when the data as a whole is at fault. */
  readonly faults: readonly DataFault[];
};

type JsonData = { readonly ok: true; readonly schemaId: number; readonly json: JsonValue } | Unusable;
type EncodedData = { readonly ok: true; readonly schemaId: number; readonly bytes: Buffer } | Unusable;

/** The registered versions of event types. Its `to…` methods are synchronous: `prepare` what they will meet. */
export interface EventCatalogue {
  /**
   * Loads what is not known yet: the schemas that Avro data names, the newest version of the types of JSON data. Refreshes
   * what is older than 30 s (an unknown type: 10 s). Rejects with `RegistryUnavailable` when something is not known and
   * the registry does not answer; an old answer is used on.
   */
  prepare(events: Iterable<TypedData>): Promise<void>;
  /** Whether `prepare` would have anything to do for this event: spares the promise on the hot path. */
  isPrepared(event: TypedData): boolean;
  /** The data as plain JSON. JSON data is checked against the newest version of its type, with defaults filled in. */
  toJson(event: TypedData): JsonData;
  /** The data in the wire format: Avro as it is (after it was seen to decode), JSON by the newest version of its type. */
  toAvro(event: TypedData): EncodedData;
  /** Newest version of an event type; null if there is no such type. Rejects with `RegistryUnavailable`. */
  newest(type: string): Promise<EventSchema | null>;
  /** A version by its registry id. Rejects with `RegistryUnavailable`. */
  byId(schemaId: number): Promise<EventSchema | null>;
}

const refreshMs = 30_000;
const unknownMs = 10_000;
/** Names of unknown types come from outside; they must not fill the memory. */
const maxRemembered = 20_000;
const requestsAtOnce = 16;

interface Known {
  readonly schema: EventSchema | null;
  readonly until: number;
}

/** @param monotonic milliseconds of a monotonic clock */
export function openEventCatalogue(registry: Registry, monotonic: () => number): EventCatalogue {
  return new CachedCatalogue(registry, monotonic);
}

class CachedCatalogue implements EventCatalogue {
  readonly #byId = new Map<number, Known>();
  readonly #byType = new Map<string, Known>();
  readonly #underWay = new Map<string, Promise<EventSchema | null>>();
  readonly #registry: Registry;
  readonly #monotonic: () => number;

  constructor(registry: Registry, monotonic: () => number) {
    this.#registry = registry;
    this.#monotonic = monotonic;
  }

  isPrepared(event: TypedData): boolean {
    return this.#isFresh(this.#known(event));
  }

  async prepare(events: Iterable<TypedData>): Promise<void> {
    const ids = new Set<number>();
    const types = new Set<string>();
    for (const event of events) {
      if (this.isPrepared(event)) continue;
      if (event.data.kind === 'json') types.add(event.type);
      else ids.add(event.data.bytes.readUInt32BE(1));
    }
    const loads = [
      ...Array.from(ids, (id) => () => this.byId(id)),
      ...Array.from(types, (type) => () => this.newest(type)),
    ];
    for (let i = 0; i < loads.length; i += requestsAtOnce)
      await Promise.all(loads.slice(i, i + requestsAtOnce).map((load) => load()));
  }

  toJson({ type, data }: TypedData): JsonData {
    const schema = this.#schemaFor(type, data);
    if (!(schema instanceof EventSchema)) return schema;
    if (data.kind === 'avro') return decoded(schema, data.bytes);
    const encoded = encodedBy(schema, data.value);
    // Through Avro and back: what the endpoint receives is the same whether the data came as Avro or as JSON.
    return encoded.ok ? decoded(schema, encoded.bytes) : encoded;
  }

  toAvro({ type, data }: TypedData): EncodedData {
    const schema = this.#schemaFor(type, data);
    if (!(schema instanceof EventSchema)) return schema;
    if (data.kind === 'json') return encodedBy(schema, data.value);
    const json = decoded(schema, data.bytes);
    return json.ok ? { ok: true, schemaId: schema.schemaId, bytes: data.bytes } : json;
  }

  newest(type: string): Promise<EventSchema | null> {
    const known = this.#byType.get(type);
    if (known !== undefined && this.#isFresh(known)) return Promise.resolve(known.schema);
    return this.#once(`type ${type}`, async () => {
      try {
        const found = await this.#registry.newest(type);
        const schema = found === null ? null : this.#compiled(found.id, found.schema);
        // A subject may hold a record of another name; it is no version of this type.
        return this.#remember(this.#byType, type, schema?.type === type ? schema : null, refreshMs);
      } catch (error) {
        if (!(error instanceof RegistryUnavailable) || known === undefined || known.schema === null) throw error;
        return this.#remember(this.#byType, type, known.schema, unknownMs);
      }
    });
  }

  byId(schemaId: number): Promise<EventSchema | null> {
    const known = this.#byId.get(schemaId);
    if (known !== undefined && this.#isFresh(known)) return Promise.resolve(known.schema);
    return this.#once(`id ${schemaId}`, async () => {
      const text = await this.#registry.schemaById(schemaId);
      const schema = text === null ? null : this.#compiled(schemaId, text);
      return this.#remember(this.#byId, schemaId, schema, Number.POSITIVE_INFINITY);
    });
  }

  /** What is known of the schema of this event; undefined when it was never asked for. */
  #known({ type, data }: TypedData): Known | undefined {
    if (data.kind === 'json') return this.#byType.get(type);
    const id = schemaIdOf(data.bytes);
    return id === null ? { schema: null, until: Number.POSITIVE_INFINITY } : this.#byId.get(id);
  }

  #isFresh(known: Known | undefined): boolean {
    return known !== undefined && (known.until === Number.POSITIVE_INFINITY || this.#monotonic() < known.until);
  }

  #schemaFor(type: string, data: EventData): EventSchema | Unusable {
    const known = this.#known({ type, data });
    if (known === undefined) throw new CodecError('not-prepared', `the schema of a ${type} was not loaded before`);
    const { schema } = known;
    if (data.kind === 'json')
      return schema ?? unusable('unknown-event-type', `no schema is registered for the event type ${type}`);
    if (schema === null) {
      const id = schemaIdOf(data.bytes);
      return unusable(
        'schema-mismatch',
        id === null ? 'the data has no schema id in front' : `the registry has no Avro record of schema id ${id}`,
      );
    }
    if (schema.type === type) return schema;
    return unusable('schema-mismatch', `schema ${schema.schemaId} is that of ${schema.type}, not of ${type}`);
  }

  /** Ids are shared by all versions that are equal, so that each is compiled once. */
  #compiled(id: number, text: string): EventSchema | null {
    const known = this.#byId.get(id)?.schema;
    if (known !== undefined && known !== null) return known;
    let schema: EventSchema | null;
    try {
      schema = new EventSchema(id, text);
    } catch {
      // Not an Avro record (or one that avsc refuses): for us the same as none, and no reason to stop a partition.
      schema = null;
    }
    return this.#remember(this.#byId, id, schema, Number.POSITIVE_INFINITY);
  }

  #remember<K>(known: Map<K, Known>, key: K, schema: EventSchema | null, lastsMs: number): EventSchema | null {
    if (schema === null && known.size >= maxRemembered) dropUnknown(known);
    // Put at the end: a map keeps the order in which its keys came.
    known.delete(key);
    known.set(key, { schema, until: schema === null ? this.#monotonic() + unknownMs : this.#monotonic() + lastsMs });
    return schema;
  }

  /** One request at a time for the same thing. */
  #once(name: string, load: () => Promise<EventSchema | null>): Promise<EventSchema | null> {
    const present = this.#underWay.get(name);
    if (present !== undefined) return present;
    const request = load().finally(() => this.#underWay.delete(name));
    this.#underWay.set(name, request);
    return request;
  }
}

/** Only the older half: the others may belong to the batch that is being prepared. */
function dropUnknown<K>(known: Map<K, Known>): void {
  let left = maxRemembered / 2;
  for (const [key, { schema }] of known) {
    if (left === 0) return;
    if (schema === null) known.delete(key);
    left -= 1;
  }
}

const unusable = (code: Unusable['code'], detail: string, faults: readonly DataFault[] = []): Unusable => ({
  ok: false,
  code,
  detail,
  faults,
});

function decoded(schema: EventSchema, bytes: Buffer): JsonData {
  try {
    return { ok: true, schemaId: schema.schemaId, json: schema.decode(bytes) };
  } catch (error) {
    if (error instanceof CodecError) return unusable('invalid-data', error.message);
    throw error;
  }
}

function encodedBy(schema: EventSchema, json: JsonValue): EncodedData {
  const result = schema.encode(json);
  if (result.ok) return result;
  const [first] = result.faults;
  const more = result.faults.length > 1 ? ` (and ${result.faults.length - 1} more)` : '';
  return unusable('invalid-data', `${first?.pointer ?? ''} ${first?.detail ?? 'invalid'}${more}`.trim(), result.faults);
}
