import { Answers } from './answers.js';
import { RegistryUnavailable } from './errors.js';
import { EventSchema } from './event-schema.js';
import { inGroups } from './in-groups.js';
import type { Registry } from './registry.js';

/** A registered version of an event type. */
export interface EventVersion {
  /** Number within its subject, from 1. */
  readonly version: number;
  readonly schemaId: number;
  readonly schema: EventSchema;
}

/** All versions of one event type, as the registry listed them. Never empty. */
export class VersionList {
  /** Lowest first. */
  readonly all: readonly EventVersion[];
  readonly newest: EventVersion;
  readonly #byNumber: ReadonlyMap<number, EventVersion>;
  readonly #byId: ReadonlyMap<number, number>;

  private constructor(all: readonly EventVersion[], newest: EventVersion) {
    this.all = all;
    this.newest = newest;
    this.#byNumber = new Map(all.map((one) => [one.version, one]));
    this.#byId = new Map(all.map(({ schemaId, version }) => [schemaId, version]));
  }

  static of(all: readonly EventVersion[]): VersionList | null {
    const newest = all.at(-1);
    return newest === undefined ? null : new VersionList(all, newest);
  }

  get(version: number): EventVersion | undefined {
    return this.#byNumber.get(version);
  }

  versionOf(schemaId: number): number | null {
    return this.#byId.get(schemaId) ?? null;
  }
}

const refreshMs = 30_000;

/** Schemas by id and the version lists of event types, loaded from the registry and remembered. */
export class KnownSchemas {
  readonly byId: Answers<number, EventSchema>;
  readonly byType: Answers<string, VersionList>;
  readonly #registry: Registry;

  constructor(registry: Registry, monotonic: () => number) {
    this.#registry = registry;
    this.byId = new Answers(monotonic);
    this.byType = new Answers(monotonic);
  }

  /** Null when the registry has no Avro record of this id. Rejects with `RegistryUnavailable`. */
  async schema(id: number): Promise<EventSchema | null> {
    if (this.byId.isFresh(id)) return this.byId.get(id) ?? null;
    return this.byId.ask(id, async () => {
      const text = await this.#registry.schemaById(id);
      return text === null ? this.byId.put(id, null, 0) : this.#compiled(id, text);
    });
  }

  /** Null when there is no such type. Rejects with `RegistryUnavailable`, unless an old list can be used on. */
  async versions(type: string): Promise<VersionList | null> {
    if (this.byType.isFresh(type)) return this.byType.get(type) ?? null;
    const list = await this.reloadOrKeep(type);
    return list instanceof RegistryUnavailable ? Promise.reject(list) : list;
  }

  /** As `reload`; when the registry does not answer, what is known is used on, or the error is the answer. */
  async reloadOrKeep(type: string): Promise<VersionList | RegistryUnavailable | null> {
    try {
      return await this.reload(type);
    } catch (error) {
      if (!(error instanceof RegistryUnavailable)) throw error;
      this.byType.prolong(type);
      return this.byType.get(type) ?? error;
    }
  }

  /** Asks for the versions of a type, fresh or not; those that are known are not fetched again. */
  reload(type: string): Promise<VersionList | null> {
    return this.byType.ask(type, async () => {
      const numbers = (await this.#registry.versions(type)) ?? [];
      const known = this.byType.get(type) ?? null;
      const found = await inGroups(numbers, async (version) => known?.get(version) ?? this.#fetch(type, version));
      return this.byType.put(type, VersionList.of(found.filter((one) => one !== null)), refreshMs);
    });
  }

  async #fetch(type: string, version: number): Promise<EventVersion | null> {
    const found = await this.#registry.version(type, version);
    const schema = found === null ? null : this.#compiled(found.id, found.schema);
    // A subject may hold a record of another name; it is no version of this type.
    return schema?.type === type ? { version, schemaId: schema.schemaId, schema } : null;
  }

  /** Ids are shared by all versions that are equal, so that each is compiled once. */
  #compiled(id: number, text: string): EventSchema | null {
    const known = this.byId.get(id);
    if (known !== undefined && known !== null) return known;
    let schema: EventSchema | null;
    try {
      schema = new EventSchema(id, text);
    } catch {
      // Not an Avro record (or one that avsc refuses): for us the same as none, and no reason to stop a partition.
      schema = null;
    }
    return this.byId.put(id, schema, Number.POSITIVE_INFINITY);
  }
}
