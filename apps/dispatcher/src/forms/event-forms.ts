import {
  renderEvent,
  VersionedEvent,
  type DeliveryFormat,
  type EventEnvelope,
  type RenderedEvent,
  type VersionChoice,
  type VersionSource,
  type WantedVersion,
} from '#libs/core';
import { discriminatingValue } from '#libs/filters';
import type { DispatchEndpoint } from '../dispatch-endpoint.js';
import type { ReadRecord } from '../read-events.js';
import type { FaultCounter } from './endpoint-faults.js';
import type { Form } from './form.js';
import type { Transformations } from './transformations.js';

export interface FormPorts {
  readonly data: VersionSource;
  readonly transformations: Pick<Transformations, 'run'>;
  readonly faults: FaultCounter;
  /** An endpoint's filters have taken so much of this process's time. */
  charge(endpoint: DispatchEndpoint, cpuMs: number): void;
  /** Resolves when others had their turn of the event loop. */
  breathe(): Promise<void>;
}

/** About what a process makes of CEL. */
const stepsPerMs = 2_500;
const stepsAtOnce = 20 * stepsPerMs;
/** To charge for less would cost more than that. */
const freeSteps = 25;

type EventRecord = Extract<ReadRecord, { kind: 'event' }>;

/**
 * An event in all the forms that its endpoints want: each version, format and transformation is made once, and shared by
 * those that agree (DESIGN §4).
 */
export class EventForms {
  readonly #read: EventRecord;
  readonly #ports: FormPorts;
  readonly #event: VersionedEvent;
  readonly #rendered = new Map<string, RenderedEvent>();
  readonly #transformed = new Map<string, Form | Promise<Form>>();
  #steps = 0;
  #text: { readonly version: WantedVersion; readonly json: string } | null = null;

  constructor(read: EventRecord, ports: FormPorts) {
    this.#read = read;
    this.#ports = ports;
    const { schemaId, json, event } = read;
    this.#event = new VersionedEvent({ envelope: event.envelope, schemaId, json }, ports.data);
  }

  get envelope(): EventEnvelope {
    return this.#read.event.envelope;
  }

  /** See `VersionedEvent.valuesAt`. */
  valuesAt(path: string, choices: readonly VersionChoice[]): readonly string[] | null {
    return this.#event.valuesAt(path, choices, discriminatingValue);
  }

  /** Those whose filters let it through. Others get their turn in between, where filters take long. */
  async passing(endpoints: readonly DispatchEndpoint[]): Promise<readonly DispatchEndpoint[]> {
    if (!endpoints.some(({ content }) => content.filter !== null)) return endpoints;
    const passed: DispatchEndpoint[] = [];
    for (const endpoint of endpoints) {
      if (this.#passes(endpoint)) passed.push(endpoint);
      if (this.#steps < stepsAtOnce) continue;
      this.#steps = 0;
      await this.#ports.breathe();
    }
    return passed;
  }

  /** Whether something must be awaited before `form` can be asked for, and `ready` is to be called. */
  isReady(endpoints: readonly DispatchEndpoint[]): boolean {
    return endpoints.every((endpoint) => {
      if (!this.#event.dataIn(this.#versionOf(endpoint)).ok && this.#event.isMissing) return false;
      if (endpoint.content.transformationId === null) return true;
      return isMade(this.#transformed.get(this.#transformedKey(endpoint)));
    });
  }

  /**
   * Loads versions that are not known yet, and runs transformations. Rejects while the registry is away: call it again.
   * @returns whether versions were loaded: who is `passing` may be another question now
   */
  async ready(endpoints: readonly DispatchEndpoint[]): Promise<boolean> {
    for (const endpoint of endpoints) this.#event.dataIn(this.#versionOf(endpoint));
    if (this.#event.isMissing) {
      await this.#event.load();
      return true;
    }
    const running = endpoints.map((endpoint) => this.#start(endpoint)).filter((one) => one instanceof Promise);
    if (running.length > 0) await Promise.all(running);
    return false;
  }

  /** Throws when it is not ready (a bug). */
  form(endpoint: DispatchEndpoint): Form {
    const { fault } = endpoint.content;
    if (fault !== null) return { kind: 'failed', renderKind: 'version', detail: fault, rendered: null };
    const version = this.#versionOf(endpoint);
    const data = this.#event.dataIn(version);
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

  #passes(endpoint: DispatchEndpoint): boolean {
    const { content } = endpoint;
    if (content.filter === null) return true;
    const asked = this.#event.asked;
    const { match, error, steps } = this.#event.ask(content);
    if (error !== null) this.#ports.faults.count(endpoint.endpointId, 'filter', error);
    // What others have asked already costs nothing any more.
    if (steps > freeSteps && this.#event.asked > asked) {
      this.#steps += steps;
      this.#ports.charge(endpoint, steps / stepsPerMs);
    }
    return match;
  }

  #start(endpoint: DispatchEndpoint): Form | Promise<Form> | null {
    const { transformationId, format } = endpoint.content;
    if (transformationId === null) return null;
    const key = this.#transformedKey(endpoint);
    const known = this.#transformed.get(key);
    if (known !== undefined) return known;
    const version = this.#versionOf(endpoint);
    if (!this.#event.dataIn(version).ok) return null;
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

  #versionOf({ content }: DispatchEndpoint): WantedVersion {
    return this.#event.versionFor(content);
  }

  #transformedKey(endpoint: DispatchEndpoint): string {
    const { format, transformationId } = endpoint.content;
    return `${this.#versionOf(endpoint)} ${format} ${transformationId}`;
  }

  #renderedAs(format: DeliveryFormat, version: WantedVersion): RenderedEvent {
    const key = `${version} ${format}`;
    const known = this.#rendered.get(key);
    if (known !== undefined) return known;
    const data = this.#event.dataIn(version);
    if (!data.ok) throw new Error(data.detail);
    if (this.#text?.version !== version) this.#text = { version, json: JSON.stringify(data.json) };
    const { envelope } = this;
    // What a schema is named that the data is not written in any more would mislead.
    const attributes = this.#event.isAsWritten(data.json) ? envelope : { ...envelope, dataschema: undefined };
    const rendered = renderEvent(format, attributes, this.#text.json, this.#read.record.timestamp);
    this.#rendered.set(key, rendered);
    return rendered;
  }
}

/** Those of the endpoints that get the event, when all is loaded and run. Rejects while the registry is away. */
export async function settleForms(
  forms: EventForms,
  endpoints: readonly DispatchEndpoint[],
): Promise<readonly DispatchEndpoint[]> {
  let passed = await forms.passing(endpoints);
  while (await forms.ready(passed)) passed = await forms.passing(passed);
  return passed;
}

const isMade = (form: Form | Promise<Form> | undefined): form is Form =>
  form !== undefined && !(form instanceof Promise);
