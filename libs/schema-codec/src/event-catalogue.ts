import type { EventData } from '#libs/core';
import { CodecError, RegistryUnavailable } from './errors.js';
import {
  decoded,
  decodedAs,
  encodedBy,
  unusable,
  type EncodedData,
  type JsonData,
  type Unusable,
  type VersionFault,
} from './event-data.js';
import { EventSchema } from './event-schema.js';
import { KnownSchemas, type EventVersion, type VersionList } from './event-versions.js';
import { inGroups } from './in-groups.js';
import { platformSchemas } from './platform-codecs.js';
import type { Registry } from './registry.js';
import { schemaIdOf } from './wire-format.js';

/** The data of an event with its type: an `EventEnvelope` is one. */
interface TypedData {
  readonly type: string;
  readonly data: EventData;
}

/** A version of an event type; 0, as in endpoints' configurations, is `latest` too. */
export type WantedVersion = number | 'latest';

export interface TypeVersion {
  readonly type: string;
  readonly version: WantedVersion;
}

/** `version`: what the JSON was made in; null for a writer's schema that the registry lists under no version. */
export type VersionedJson =
  (Extract<JsonData, { ok: true }> & { readonly version: number | null }) | Unusable | VersionFault;

/**
 * The registered versions of event types. What is synchronous answers from what `prepare` has loaded, and throws
 * `CodecError` `not-prepared` (a bug) for what was never asked for.
 */
export interface EventCatalogue {
  /**
   * Loads what is not known yet: the schemas that Avro data names, and all versions of the events' types. A list of versions
   * is refreshed when it is older than 30 s (an unknown type: 10 s), or when it lacks the version that data was written in;
   * a version is fetched once. Only JSON data waits for the refresh of a list that is known: its newest version decides
   * what is valid. Rejects with `RegistryUnavailable` when something is not known and the registry does not answer; an old
   * answer is used on.
   */
  prepare(events: Iterable<TypedData>): Promise<void>;
  /** Whether `prepare` would have anything to do for this event: spares the promise on the hot path. */
  isPrepared(event: TypedData): boolean;
  /** The data as plain JSON. JSON data is checked against the newest version of its type, with defaults filled in. */
  toJson(event: TypedData): JsonData;
  /**
   * The same in the version wanted, by Avro's schema resolution; where that is the writer's own, as `toJson`. A version
   * that does not exist is `unknown-version`, one that the data cannot be read as `incompatible-version`.
   */
  toJsonAs(event: TypedData, version: WantedVersion): VersionedJson;
  /** The data in the wire format: Avro as it is (after it was seen to decode), JSON by the newest version of its type. */
  toAvro(event: TypedData): EncodedData;
  /** Number of the version with this schema id; null when the type has none. */
  versionOf(schemaId: number, type: string): number | null;
  /** Number of the newest version; 0 when there is no such type. */
  newestVersion(type: string): number;
  /**
   * Loads versions that the known list lacks, because the list may be old. One that does not exist is asked for every 10 s
   * at most. Rejects with `RegistryUnavailable`.
   */
  prepareVersions(versions: Iterable<TypeVersion>): Promise<void>;
  /** Whether `prepareVersions` would have anything to do. */
  isVersionPrepared(type: string, version: WantedVersion): boolean;
  /** Names of all event types, sorted. Rejects with `RegistryUnavailable`. */
  eventTypes(): Promise<readonly string[]>;
  /** All versions of a type, lowest first; none if there is no such type. Rejects with `RegistryUnavailable`. */
  versionsOf(type: string): Promise<readonly EventVersion[]>;
  /** Newest version of an event type; null if there is no such type. Rejects with `RegistryUnavailable`. */
  newest(type: string): Promise<EventSchema | null>;
  /** A version by its registry id. Rejects with `RegistryUnavailable`. */
  byId(schemaId: number): Promise<EventSchema | null>;
}

/** @param monotonic milliseconds of a monotonic clock */
export function openEventCatalogue(registry: Registry, monotonic: () => number): EventCatalogue {
  return new CachedCatalogue(registry, monotonic);
}

class CachedCatalogue implements EventCatalogue {
  readonly #registry: Registry;
  readonly #known: KnownSchemas;

  constructor(registry: Registry, monotonic: () => number) {
    this.#registry = registry;
    this.#known = new KnownSchemas(registry, monotonic);
  }

  isPrepared({ type, data }: TypedData): boolean {
    const { byId, byType } = this.#known;
    if (data.kind === 'json') return byType.isFresh(type);
    const id = schemaIdOf(data.bytes);
    if (id === null) return true;
    const schema = byId.get(id) ?? null;
    if (schema === null) return byId.isFresh(id);
    // Data that does not fit its type is refused; its type need not be known.
    return schema.type !== type || (byType.isFresh(type) && !this.#lacks(type, id));
  }

  async prepare(events: Iterable<TypedData>): Promise<void> {
    const unprepared: TypedData[] = [];
    for (const event of events) if (!this.isPrepared(event)) unprepared.push(event);
    const ids = new Set(unprepared.map(writerOf).filter((id) => id !== null));
    await inGroups([...ids], (id) => this.#known.schema(id));
    const deciding = new Set<string>();
    const lacking = new Set<string>();
    for (const event of unprepared) {
      const { type, data } = event;
      const id = writerOf(event);
      if (data.kind === 'json') deciding.add(type);
      else if (id === null || this.#known.byId.get(id)?.type !== type) continue;
      else if (this.#lacks(type, id)) lacking.add(type);
      else if (!this.isPrepared(event)) this.#revalidate(type);
    }
    await inGroups([...deciding], (type) => this.#known.versions(type));
    await inGroups([...lacking], async (type) => {
      const list = await this.#known.reloadOrKeep(type);
      if (list instanceof RegistryUnavailable && this.#known.byType.get(type) === undefined) throw list;
    });
  }

  toJson({ type, data }: TypedData): JsonData {
    const schema = this.#schemaFor(type, data);
    if (!(schema instanceof EventSchema)) return schema;
    if (data.kind === 'avro') return decoded(schema, data.bytes);
    const encoded = encodedBy(schema, data.value);
    // Through Avro and back: what the endpoint receives is the same whether the data came as Avro or as JSON.
    return encoded.ok ? decoded(schema, encoded.bytes) : encoded;
  }

  toJsonAs({ type, data }: TypedData, version: WantedVersion): VersionedJson {
    const writer = this.#schemaFor(type, data);
    if (!(writer instanceof EventSchema)) return writer;
    const versions = this.#versionsFor(type);
    const reader = isLatest(version) ? versions?.newest : versions?.get(version);
    if (reader === undefined) {
      // Not listed under its type, but the registry has it: without versions there is only what was written.
      if (isLatest(version)) return withVersion(this.toJson({ type, data }), null);
      return unknownVersion(type, version, versions);
    }
    const written = data.kind === 'avro' ? { ok: true as const, bytes: data.bytes } : encodedBy(writer, data.value);
    if (!written.ok) return written;
    const json =
      reader.schemaId === writer.schemaId
        ? decoded(writer, written.bytes)
        : decodedAs(writer, reader.schema, written.bytes);
    return withVersion(json, reader.version);
  }

  toAvro({ type, data }: TypedData): EncodedData {
    const schema = this.#schemaFor(type, data);
    if (!(schema instanceof EventSchema)) return schema;
    if (data.kind === 'json') return encodedBy(schema, data.value);
    const json = decoded(schema, data.bytes);
    return json.ok ? { ok: true, schemaId: schema.schemaId, bytes: data.bytes } : json;
  }

  versionOf(schemaId: number, type: string): number | null {
    return this.#versionsFor(type)?.versionOf(schemaId) ?? null;
  }

  newestVersion(type: string): number {
    return this.#versionsFor(type)?.newest.version ?? 0;
  }

  isVersionPrepared(type: string, version: WantedVersion): boolean {
    const { byType } = this.#known;
    if (byType.get(type) === undefined) return false;
    return isLatest(version) || byType.get(type)?.get(version) !== undefined || byType.isRecent(type);
  }

  async prepareVersions(versions: Iterable<TypeVersion>): Promise<void> {
    const types = new Set<string>();
    for (const { type, version } of versions) if (!this.isVersionPrepared(type, version)) types.add(type);
    await inGroups([...types], (type) => this.#known.reload(type));
  }

  async eventTypes(): Promise<readonly string[]> {
    const subjects = await this.#registry.subjects();
    return subjects.filter((subject) => !(subject in platformSchemas)).sort();
  }

  async versionsOf(type: string): Promise<readonly EventVersion[]> {
    return (await this.#known.versions(type))?.all ?? [];
  }

  async newest(type: string): Promise<EventSchema | null> {
    return (await this.#known.versions(type))?.newest.schema ?? null;
  }

  byId(schemaId: number): Promise<EventSchema | null> {
    return this.#known.schema(schemaId);
  }

  /** Whether this schema of this type may be a version that was registered after its list was read. */
  #lacks(type: string, id: number): boolean {
    const { byType } = this.#known;
    return (byType.get(type)?.versionOf(id) ?? null) === null && !byType.isRecent(type);
  }

  /** Has a list read again while it is used on: a registry that hangs must not hold up what can do without it. */
  #revalidate(type: string): void {
    this.#known.byType.prolong(type);
    // Whoever needs more than is known will ask again, and meet the error.
    this.#known.reload(type).catch(() => undefined);
  }

  #versionsFor(type: string): VersionList | null {
    const list = this.#known.byType.get(type);
    if (list === undefined) throw new CodecError('not-prepared', `the versions of ${type} were not loaded before`);
    return list;
  }

  #schemaFor(type: string, data: EventData): EventSchema | Unusable {
    if (data.kind === 'json')
      return (
        this.#versionsFor(type)?.newest.schema ??
        unusable('unknown-event-type', `no schema is registered for the event type ${type}`)
      );
    const id = schemaIdOf(data.bytes);
    if (id === null) return unusable('schema-mismatch', 'the data has no schema id in front');
    const schema = this.#known.byId.get(id);
    if (schema === undefined) throw new CodecError('not-prepared', `the schema of a ${type} was not loaded before`);
    if (schema === null) return unusable('schema-mismatch', `the registry has no Avro record of schema id ${id}`);
    if (schema.type === type) return schema;
    return unusable('schema-mismatch', `schema ${schema.schemaId} is that of ${schema.type}, not of ${type}`);
  }
}

const isLatest = (version: WantedVersion): version is 'latest' | 0 => version === 'latest' || version === 0;

const writerOf = ({ data }: TypedData): number | null => (data.kind === 'avro' ? schemaIdOf(data.bytes) : null);

const withVersion = (data: JsonData | VersionFault, version: number | null): VersionedJson =>
  data.ok ? { ...data, version } : data;

function unknownVersion(type: string, version: number, versions: VersionList | null): VersionFault {
  const numbers = versions?.all.map((one) => one.version) ?? [];
  const those = numbers.length === 0 ? 'the registry lists none' : `it has ${numbers.join(', ')}`;
  return { ok: false, code: 'unknown-version', detail: `${type} has no version ${version}: ${those}` };
}
