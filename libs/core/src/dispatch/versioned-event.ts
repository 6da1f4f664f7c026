import type { EventEnvelope, JsonValue } from '../event/cloud-event.js';
import {
  versionFor,
  type Content,
  type EventFilter,
  type FilterAnswer,
  type FilterSubject,
  type VersionChoice,
  type VersionPins,
  type WantedVersion,
} from './endpoint-content.js';

/** What turns an event's data into the JSON of its versions (`EventCatalogue` of libs/schema-codec). */
export interface VersionSource {
  toJsonAs(
    event: EventEnvelope,
    version: WantedVersion,
  ):
    | { readonly ok: true; readonly json: JsonValue }
    | { readonly ok: false; readonly code: string; readonly detail: string };
  /** Null: the type has no version with this schema. */
  versionOf(schemaId: number, type: string): number | null;
  /** 0: the type has no versions. */
  newestVersion(type: string): number;
  /** Whether `prepareVersions` has nothing to do: it is known, or was just looked for in vain. */
  isVersionPrepared(type: string, version: WantedVersion): boolean;
  prepareVersions(versions: Iterable<{ readonly type: string; readonly version: WantedVersion }>): Promise<void>;
}

/** An event as its producer wrote it. */
export interface WrittenEvent {
  readonly envelope: EventEnvelope;
  readonly schemaId: number;
  readonly json: JsonValue;
}

/** The data in one version, or why it cannot be had. */
export type VersionData =
  { readonly ok: true; readonly json: JsonValue } | { readonly ok: false; readonly detail: string };

const passed: FilterAnswer = { match: true, error: null, steps: 0 };
const dataPath = 'data.';

/** An event in the versions that its endpoints get, and before their filters; each is made or asked once. */
export class VersionedEvent {
  readonly #source: VersionSource;
  readonly #written: WrittenEvent;
  readonly #data = new Map<WantedVersion, VersionData>();
  readonly #answers = new Map<EventFilter, Map<WantedVersion, FilterAnswer>>();
  #missing: { readonly type: string; readonly version: WantedVersion }[] = [];
  #asked = 0;
  /** Asked for once: a version that is registered meanwhile is for the next event. */
  #newest: number | null = null;

  constructor(written: WrittenEvent, source: VersionSource) {
    this.#written = written;
    this.#source = source;
  }

  get envelope(): EventEnvelope {
    return this.#written.envelope;
  }

  /** How many filters were asked: the same one is asked once for a version. */
  get asked(): number {
    return this.#asked;
  }

  /** Something was asked for that may be found by `load`. */
  get isMissing(): boolean {
    return this.#missing.length > 0;
  }

  /** Looks for what was missing. Rejects while the registry is away. */
  async load(): Promise<void> {
    const missing = this.#missing;
    await this.#source.prepareVersions(missing);
    this.#missing = [];
    for (const { version } of missing) this.#data.delete(version);
  }

  /** The same for all endpoints that get the same. */
  versionFor(pins: VersionPins): WantedVersion {
    return this.#chosen(versionFor(pins, this.envelope.type));
  }

  dataIn(version: WantedVersion): VersionData {
    const known = this.#data.get(version);
    if (known !== undefined) return known;
    const made = this.#make(version);
    this.#data.set(version, made);
    return made;
  }

  /** Whether the data is as it was written: not resolved to another version. */
  isAsWritten(json: JsonValue): boolean {
    return json === this.#written.json;
  }

  /**
   * What the filter says. Where it cannot be asked, because its version cannot be had, the event is not kept from the
   * endpoint: it becomes a dead letter, which somebody sees.
   */
  ask({ filter, ...pins }: Pick<Content, 'filter' | 'versions' | 'latestByDefault'>): FilterAnswer {
    if (filter === null) return passed;
    const version = filter.readsData ? this.versionFor(pins) : 'latest';
    let answers = this.#answers.get(filter);
    if (answers === undefined) this.#answers.set(filter, (answers = new Map<WantedVersion, FilterAnswer>()));
    const known = answers.get(version);
    if (known !== undefined) return known;
    const data = filter.readsData ? this.dataIn(version) : this.#asWritten;
    if (!data.ok) return passed;
    const answer = filter.matches(this.#subject(data.json));
    this.#asked += 1;
    answers.set(version, answer);
    return answer;
  }

  /**
   * What it has at the path of a discriminator, in any of the versions; null: that cannot be said, because one of them
   * cannot be had (yet).
   */
  valuesAt(
    path: string,
    choices: readonly VersionChoice[],
    valueAt: (subject: FilterSubject, path: string) => string | undefined,
  ): readonly string[] | null {
    const values = new Set<string>();
    const note = (json: JsonValue): void => {
      const value = valueAt(this.#subject(json), path);
      if (value !== undefined) values.add(value);
    };
    if (!path.startsWith(dataPath)) note(this.#written.json);
    else {
      for (const choice of choices) {
        const data = this.dataIn(this.#chosen(choice));
        if (!data.ok) return null;
        note(data.json);
      }
    }
    return [...values];
  }

  #chosen({ version, isNamed }: VersionChoice): WantedVersion {
    const newest = (this.#newest ??= this.#source.newestVersion(this.envelope.type));
    // A type that nobody registered versions of has only what was written.
    if (newest === 0) return isNamed ? version : 'latest';
    return version === 'latest' ? newest : version;
  }

  get #asWritten(): Extract<VersionData, { readonly ok: true }> {
    return { ok: true, json: this.#written.json };
  }

  #subject(data: JsonValue): FilterSubject {
    return { attributes: this.envelope, data };
  }

  #make(version: WantedVersion): VersionData {
    const { envelope, schemaId } = this.#written;
    const { type } = envelope;
    if (version === 'latest' || this.#source.versionOf(schemaId, type) === version) return this.#asWritten;
    const made = this.#source.toJsonAs(envelope, version);
    if (made.ok) return { ok: true, json: made.json };
    if (made.code === 'unknown-version' && !this.#source.isVersionPrepared(type, version))
      this.#missing.push({ type, version });
    return { ok: false, detail: made.detail };
  }
}
