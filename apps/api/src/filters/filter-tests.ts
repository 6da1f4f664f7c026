import { setImmediate as turn } from 'node:timers/promises';
import { eventFromJson, type EventEnvelope, type JsonValue } from '#libs/core';
import { compileFilters, type CompiledFilters } from '#libs/filters';
import type { TenantRepository } from '#libs/persistence';
import type { EventCatalogue } from '#libs/schema-codec';
import type { PastEvents } from '../event-types/last-events.js';
import { registryAnswered } from '../event-types/type-catalogue.js';
import { dateTimeOrNull } from '../http/list-query.js';
import { AppError, type Fault } from '../problem/app-error.js';
import { unknownTenant } from '../replays/replays.js';
import type { FilterTestAnswer, TestFiltersBody } from './filter-test.dto.js';

type Result = FilterTestAnswer['results'][number];
type Version = TestFiltersBody['version'];
type Unusable = Extract<ReturnType<EventCatalogue['toJsonAs']>, { readonly ok: false }>;

/** Filters, tried on events; nothing is sent or kept. */
export class FilterTests {
  constructor(
    private readonly ports: {
      readonly tenants: Pick<TenantRepository, 'get'>;
      readonly past: Pick<PastEvents, 'last'>;
      readonly data: Pick<EventCatalogue, 'prepare' | 'prepareVersions' | 'toJsonAs'>;
    },
  ) {}

  /** Throws an AppError for what cannot be tried, with every fault. */
  async run({ filters, version, event, ...ofLog }: TestFiltersBody): Promise<FilterTestAnswer> {
    const compiled = compileFilters(filters);
    if (event !== undefined) return answer([await this.#onGiven(compiled, event, version)], 0, null);
    const { tenantId = '', type = '', last = 0 } = ofLog;
    if ((await this.ports.tenants.get(tenantId)) === null) throw unknownTenant(tenantId);
    const { events, lookedBack } = await this.ports.past.last(tenantId, type, last);
    const envelopes = events.map((one) => one.event);
    await this.#prepare(envelopes, version);
    const results: Result[] = [];
    for (const envelope of envelopes) {
      const data = this.ports.data.toJsonAs(envelope, version);
      if (data.ok) results.push(resultOf(compiled, envelope, data.json));
      else if (data.code === 'unknown-version') throw unusable(data);
      // Each may take all its steps, and others are waiting.
      await turn();
    }
    const since = dateTimeOrNull(lookedBack.since);
    return answer(results, events.length - results.length, { ...lookedBack, since });
  }

  /** Its data is taken as ingest takes it: what a dispatcher would refuse is refused here. */
  async #onGiven(filters: CompiledFilters, given: unknown, version: Version): Promise<Result> {
    // It came as JSON.
    const parsed = eventFromJson(given as JsonValue, '/event');
    if (!parsed.ok) throw new AppError('invalid-body', 'The event cannot be used.', { errors: parsed.faults });
    const { event } = parsed;
    await this.#prepare([event], version);
    const data = this.ports.data.toJsonAs(event, version);
    if (!data.ok) throw unusable(data);
    return resultOf(filters, event, data.json);
  }

  async #prepare(events: readonly EventEnvelope[], version: Version): Promise<void> {
    await registryAnswered(this.ports.data.prepare(events));
    await registryAnswered(this.ports.data.prepareVersions(events.map(({ type }) => ({ type, version }))));
  }
}

function unusable(data: Unusable): AppError {
  const errors: Fault[] =
    'faults' in data && data.faults.length > 0
      ? data.faults.map((fault) => ({ ...fault, pointer: `/event/data${fault.pointer}` }))
      : [{ pointer: places[data.code], code: data.code, detail: data.detail }];
  return new AppError('invalid-body', 'The filters cannot be tried on this.', { errors });
}

const places: Readonly<Record<Unusable['code'], string>> = {
  'unknown-event-type': '/event/type',
  'schema-mismatch': '/event/data_base64',
  'invalid-data': '/event/data',
  'unknown-version': '/version',
  'incompatible-version': '/version',
};

function resultOf(filters: CompiledFilters, event: EventEnvelope, data: JsonValue): Result {
  const { match, error } = filters.matches({ attributes: event, data });
  const { id, source, type, time = null } = event;
  return { id, source, type, time, match, error };
}

function answer(
  results: readonly Result[],
  rejected: number,
  lookedBack: FilterTestAnswer['lookedBack'],
): FilterTestAnswer {
  return {
    results: [...results],
    totals: {
      events: results.length,
      matched: results.filter(({ match }) => match).length,
      errors: results.filter(({ error }) => error !== null).length,
      rejected,
    },
    lookedBack,
  };
}
