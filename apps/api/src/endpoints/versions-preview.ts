import { jsonPatch, typeMatcher, type JsonValue, type PatchOperation } from '#libs/core';
import type { EndpointRepository } from '#libs/persistence';
import type { EventCatalogue, VersionedJson } from '#libs/schema-codec';
import type { LastEvents, PastEvent, PastEvents } from '../event-types/last-events.js';
import { registryAnswered, type TypeCatalogue } from '../event-types/type-catalogue.js';
import { checkId, dateTime, dateTimeOrNull } from '../http/list-query.js';
import { AppError, notFound, type Fault } from '../problem/app-error.js';
import { versionFault, sentVersion } from './versions-merge.js';
import type { PreviewBody } from './versions.dto.js';

/** The data in a version, or why it cannot be had. */
type Shown =
  { readonly version: number | null; readonly data: JsonValue } | { readonly code: string; readonly detail: string };

interface PreviewedEvent {
  readonly event: {
    readonly id: string;
    readonly source: string;
    readonly type: string;
    readonly time: string | null;
    readonly subject: string | null;
  };
  readonly partition: number;
  readonly offset: number;
  readonly appendedAt: string;
  readonly present: Shown;
  readonly wanted: Shown;
  /** JSON Patch (RFC 6902) of the data, from the present to the wanted one; null where one of them cannot be had. */
  readonly diff: readonly PatchOperation[] | null;
}

export interface PreviewAnswer {
  readonly type: string;
  readonly present: number;
  readonly wanted: number;
  /** Newest first. */
  readonly events: readonly PreviewedEvent[];
  readonly lookedBack: { readonly records: number; readonly since: string | null; readonly partial: boolean };
}

export interface PreviewPorts {
  readonly endpoints: Pick<EndpointRepository, 'get'>;
  readonly catalogue: Pick<TypeCatalogue, 'current'>;
  readonly past: Pick<PastEvents, 'last'>;
  readonly data: Pick<EventCatalogue, 'prepare' | 'prepareVersions' | 'toJsonAs'>;
}

/** What real events would look like in another version. Sends nothing and changes nothing. */
export class VersionPreview {
  constructor(private readonly ports: PreviewPorts) {}

  /** @throws AppError also `invalid-body` for a type that the endpoint does not want or a version that is not there */
  async of(id: string, { type, version, last }: PreviewBody): Promise<PreviewAnswer> {
    const endpoint = await this.ports.endpoints.get(checkId('endpoint', id));
    if (endpoint === null) throw notFound('endpoint', id);
    const [found] = await this.ports.catalogue.current((one) => one === type);
    if (found === undefined)
      throw refused('/type', { code: 'unknown-event-type', detail: 'There is no such event type.' });
    if (!typeMatcher(endpoint.eventTypes)(type))
      throw refused('/type', { code: 'not-subscribed', detail: 'The endpoint does not want this type.' });
    const fault = versionFault(found, version);
    if (fault !== null) throw refused('/version', fault);
    const present = sentVersion(endpoint, found).version;
    const wanted = version === 'latest' ? (found.versions.at(-1) ?? present) : version;
    const { events, lookedBack } = await this.ports.past.last(endpoint.tenantId, type, last);
    await this.#prepare(events, type, [present, wanted]);
    return {
      type,
      present,
      wanted,
      events: events.map((one) => this.#previewed(one, present, wanted)),
      lookedBack: { ...lookedBack, since: dateTimeOrNull(lookedBack.since) },
    };
  }

  async #prepare(events: LastEvents['events'], type: string, versions: readonly number[]): Promise<void> {
    const { data } = this.ports;
    await registryAnswered(data.prepare(events.map(({ event }) => event)));
    await registryAnswered(data.prepareVersions(versions.map((version) => ({ type, version }))));
  }

  #previewed({ event, partition, offset, appendedAt }: PastEvent, from: number, to: number): PreviewedEvent {
    const { id, source, type, time = null, subject = null } = event;
    const present = shown(this.ports.data.toJsonAs(event, from));
    const wanted = shown(this.ports.data.toJsonAs(event, to));
    const diff = 'data' in present && 'data' in wanted ? jsonPatch(present.data, wanted.data) : null;
    const place = { partition, offset, appendedAt: dateTime(appendedAt) };
    return { event: { id, source, type, time, subject }, ...place, present, wanted, diff };
  }
}

const shown = (made: VersionedJson): Shown =>
  made.ok ? { version: made.version, data: made.json } : { code: made.code, detail: made.detail };

const refused = (pointer: string, fault: Pick<Fault, 'code' | 'detail'>): AppError =>
  new AppError('invalid-body', 'One thing does not fit.', { errors: [{ pointer, ...fault }] });
