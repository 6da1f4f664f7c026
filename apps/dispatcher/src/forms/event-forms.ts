import { renderEvent, type DeliveryFormat, type EventEnvelope, type JsonValue, type RenderedEvent } from '#libs/core';
import { discriminatingValue } from '#libs/filters';
import type { EventCatalogue, VersionedJson } from '#libs/schema-codec';
import type { DispatchEndpoint } from '../dispatch-endpoint.js';
import type { ReadRecord } from '../read-events.js';
import {
  versionFor,
  type EventFilter,
  type FilterAnswer,
  type FilterSubject,
  type VersionChoice,
  type WantedVersion,
} from './content.js';
import type { FaultCounter } from './endpoint-faults.js';
import type { Form } from './form.js';
import type { Transformations } from './transformations.js';

export type VersionedData = Pick<
  EventCatalogue,
  'toJsonAs' | 'versionOf' | 'newestVersion' | 'isVersionPrepared' | 'prepareVersions'
>;

export interface FormPorts {
  readonly data: VersionedData;
  readonly transformations: Pick<Transformations, 'run'>;
  readonly faults: FaultCounter;
}

type EventRecord = Extract<ReadRecord, { kind: 'event' }>;

/** The data in one version, or why it cannot be had. */
type VersionData = { readonly ok: true; readonly json: JsonValue } | { readonly ok: false; readonly detail: string };

/**
 * An event in all the forms that its endpoints want: each version, format and transformation is made once, and shared by
 * those that agree (DESIGN §4).
 */
export class EventForms {
  readonly #read: EventRecord;
  readonly #ports: FormPorts;
  readonly #data = new Map<WantedVersion, VersionData>();
  readonly #matched = new Map<EventFilter, Map<WantedVersion, FilterAnswer>>();
  readonly #rendered = new Map<string, RenderedEvent>();
  readonly #transformed = new Map<string, Form | Promise<Form>>();
  #text: { readonly version: WantedVersion; readonly json: string } | null = null;
  #missing: { readonly type: string; readonly version: WantedVersion }[] = [];

  constructor(read: EventRecord, ports: FormPorts) {
    this.#read = read;
    this.#ports = ports;
  }

  get envelope(): EventEnvelope {
    return this.#read.event.envelope;
  }

  /**
   * Whether the endpoint's filter lets it through. What it cannot be asked about, because its version cannot be had, is
   * not kept from it: it becomes a dead letter, which somebody sees.
   */
  passes(endpoint: DispatchEndpoint): boolean {
    const { filter } = endpoint.content;
    if (filter === null) return true;
    const version = filter.readsData ? this.#versionOf(endpoint) : 'latest';
    let known = this.#matched.get(filter);
    if (known === undefined) this.#matched.set(filter, (known = new Map()));
    let answer = known.get(version);
    if (answer === undefined) {
      const data = filter.readsData ? this.#dataIn(version) : this.#asWritten;
      if (!data.ok) return true;
      answer = filter.matches(this.#subject(data));
      known.set(version, answer);
    }
    if (answer.error !== null) this.#ports.faults.count(endpoint.endpointId, 'filter', answer.error);
    return answer.match;
  }

  /**
   * What it has at the path of a discriminator, in any of the versions; null: that cannot be said, because one of them
   * cannot be had (yet).
   */
  valuesAt(path: string, choices: readonly VersionChoice[]): readonly string[] | null {
    if (!path.startsWith(dataPath)) return listed(discriminatingValue(this.#subject(this.#asWritten), path));
    const values = new Set<string>();
    for (const choice of choices) {
      const data = this.#dataIn(this.#chosen(choice));
      if (!data.ok) return null;
      const value = discriminatingValue(this.#subject(data), path);
      if (value !== undefined) values.add(value);
    }
    return [...values];
  }

  /** Those that `passes` lets through. */
  passing(endpoints: readonly DispatchEndpoint[]): readonly DispatchEndpoint[] {
    return endpoints.some(({ content }) => content.filter !== null)
      ? endpoints.filter((endpoint) => this.passes(endpoint))
      : endpoints;
  }

  /** Whether something must be awaited before `form` can be asked for, and `ready` is to be called. */
  isReady(endpoints: readonly DispatchEndpoint[]): boolean {
    return endpoints.every((endpoint) => {
      if (!this.#dataIn(this.#versionOf(endpoint)).ok && this.#missing.length > 0) return false;
      if (endpoint.content.transformationId === null) return true;
      return isMade(this.#transformed.get(this.#transformedKey(endpoint)));
    });
  }

  /**
   * Loads versions that are not known yet, and runs transformations. Rejects while the registry is away: call it again.
   * @returns whether versions were loaded: who was let through by `passes` may be another question now
   */
  async ready(endpoints: readonly DispatchEndpoint[]): Promise<boolean> {
    for (const endpoint of endpoints) this.#dataIn(this.#versionOf(endpoint));
    const missing = this.#missing;
    if (missing.length > 0) {
      await this.#ports.data.prepareVersions(missing);
      this.#missing = [];
      for (const { version } of missing) this.#data.delete(version);
      return true;
    }
    const running = endpoints.map((endpoint) => this.#start(endpoint)).filter((one) => one instanceof Promise);
    if (running.length > 0) await Promise.all(running);
    return false;
  }

  /** Throws when it is not ready (a bug). */
  form(endpoint: DispatchEndpoint): Form {
    const version = this.#versionOf(endpoint);
    const data = this.#dataIn(version);
    if (!data.ok) return { kind: 'failed', renderKind: 'version', detail: data.detail, rendered: null };
    if (endpoint.content.transformationId === null)
      return { kind: 'rendered', rendered: this.#renderedAs(endpoint.content.format, version) };
    const made = this.#transformed.get(this.#transformedKey(endpoint));
    if (!isMade(made)) throw new Error(`the transformation of ${endpoint.endpointId} was not awaited`);
    const { faults } = this.#ports;
    if (made.kind === 'failed') faults.count(endpoint.endpointId, 'transformation', made.detail);
    if (made.kind === 'cancelled') faults.count(endpoint.endpointId, 'cancelled', 'by its transformation');
    return made;
  }

  /** What transformations made is let go of: it may be much. */
  forgetTransformed(): void {
    this.#transformed.clear();
  }

  #start(endpoint: DispatchEndpoint): Form | Promise<Form> | null {
    const { transformationId, format } = endpoint.content;
    if (transformationId === null) return null;
    const key = this.#transformedKey(endpoint);
    const known = this.#transformed.get(key);
    if (known !== undefined) return known;
    const version = this.#versionOf(endpoint);
    if (!this.#dataIn(version).ok) return null;
    const { record, event } = this.#read;
    const rendered = this.#renderedAs(format, version);
    const run = this.#ports.transformations
      .run(endpoint, { attributes: event.envelope, acceptedAt: record.timestamp }, rendered)
      .then(
        (form) => {
          this.#transformed.set(key, form);
          return form;
        },
        (error: unknown) => {
          // It could not be run: it is to be tried again.
          this.#transformed.delete(key);
          throw error;
        },
      );
    this.#transformed.set(key, run);
    return run;
  }

  #transformedKey(endpoint: DispatchEndpoint): string {
    const { content } = endpoint;
    return `${this.#versionOf(endpoint)} ${content.format} ${content.transformationId}`;
  }

  #renderedAs(format: DeliveryFormat, version: WantedVersion): RenderedEvent {
    const key = `${version} ${format}`;
    const known = this.#rendered.get(key);
    if (known !== undefined) return known;
    const data = this.#dataIn(version);
    if (!data.ok) throw new Error(data.detail);
    if (this.#text?.version !== version) this.#text = { version, json: JSON.stringify(data.json) };
    const { record, event } = this.#read;
    // What a schema is named that the data is not written in any more would mislead.
    const attributes = data.json === this.#read.json ? event.envelope : { ...event.envelope, dataschema: undefined };
    const rendered = renderEvent(format, attributes, this.#text.json, record.timestamp);
    this.#rendered.set(key, rendered);
    return rendered;
  }

  /** The same for all endpoints that get the same. */
  #versionOf({ content }: DispatchEndpoint): WantedVersion {
    return this.#chosen(versionFor(content, this.envelope.type));
  }

  #chosen({ version, isNamed }: VersionChoice): WantedVersion {
    const newest = this.#ports.data.newestVersion(this.envelope.type);
    // A type that nobody registered versions of has only what was written.
    if (newest === 0) return isNamed ? version : 'latest';
    return version === 'latest' ? newest : version;
  }

  get #asWritten(): Extract<VersionData, { readonly ok: true }> {
    return { ok: true, json: this.#read.json };
  }

  #subject({ json: data }: { readonly json: JsonValue }): FilterSubject {
    return { attributes: this.envelope, data };
  }

  #dataIn(version: WantedVersion): VersionData {
    const known = this.#data.get(version);
    if (known !== undefined) return known;
    const made = this.#makeData(version);
    this.#data.set(version, made);
    return made;
  }

  #makeData(version: WantedVersion): VersionData {
    const { data } = this.#ports;
    const { json, schemaId } = this.#read;
    const { type } = this.envelope;
    if (version === 'latest' || data.versionOf(schemaId, type) === version) return { ok: true, json };
    const made: VersionedJson = data.toJsonAs(this.envelope, version);
    if (made.ok) return { ok: true, json: made.json };
    if (made.code === 'unknown-version' && !data.isVersionPrepared(type, version))
      this.#missing.push({ type, version });
    return { ok: false, detail: made.detail };
  }
}

/** Those of the endpoints that get the event, when all is loaded and run. Rejects while the registry is away. */
export async function settleForms(
  forms: EventForms,
  endpoints: readonly DispatchEndpoint[],
): Promise<readonly DispatchEndpoint[]> {
  let passed = forms.passing(endpoints);
  while (await forms.ready(passed)) passed = forms.passing(passed);
  return passed;
}

const dataPath = 'data.';
const listed = (value: string | undefined): readonly string[] => (value === undefined ? [] : [value]);

const isMade = (form: Form | Promise<Form> | undefined): form is Form =>
  form !== undefined && !(form instanceof Promise);
