import { setImmediate as turn } from 'node:timers/promises';
import { eventFromJson, type EventEnvelope, type JsonValue } from '#libs/core';
import { compileFilters, type CompiledFilters } from '#libs/filters';
import type { TenantRepository } from '#libs/persistence';
import { RegistryUnavailable, type EventCatalogue } from '#libs/schema-codec';
import { dateTimeOrNull } from '../http/list-query.js';
import { AppError } from '../problem/app-error.js';
import { unknownTenant } from '../replays/replays.js';
import type { FilterTestAnswer, TestFiltersBody } from './filter-test.dto.js';
import type { LatestEvents } from './latest-events.js';

type Result = FilterTestAnswer['results'][number];

/** Filters, tried on events; nothing is sent or kept. */
export class FilterTests {
  #running = 0;

  constructor(
    private readonly ports: {
      readonly tenants: Pick<TenantRepository, 'get'>;
      readonly latest: Pick<LatestEvents, 'find'>;
      readonly data: Pick<EventCatalogue, 'prepare' | 'toJson'>;
    },
    /** Tests of this process that read the log at once. */
    private readonly atOnce: number,
  ) {}

  async run({ filters, event, tenantId = '', type = '', last = 0 }: TestFiltersBody): Promise<FilterTestAnswer> {
    const compiled = compileFilters(filters);
    if (event !== undefined) return answer([await this.#onGiven(compiled, event)], 0, null);
    if ((await this.ports.tenants.get(tenantId)) === null) throw unknownTenant(tenantId);
    if (this.#running >= this.atOnce) {
      const headers = { 'retry-after': '5' };
      throw new AppError('overloaded', 'Other filters are being tested in this process.', { headers });
    }
    this.#running += 1;
    try {
      return await this.#onLatest(compiled, tenantId, type, last);
    } finally {
      this.#running -= 1;
    }
  }

  /** Its data is taken as ingest takes it: what a dispatcher would refuse is refused here. */
  async #onGiven(filters: CompiledFilters, given: unknown): Promise<Result> {
    // It came as JSON.
    const parsed = eventFromJson(given as JsonValue, '/event');
    if (!parsed.ok) throw new AppError('invalid-body', 'The event cannot be used.', { errors: parsed.faults });
    const { event } = parsed;
    await this.#prepare([event]);
    const data = this.ports.data.toJson(event);
    if (data.ok) return resultOf(filters, event, data.json);
    const { code, detail, faults } = data;
    const whole = { pointer: code === 'unknown-event-type' ? '/event/type' : '/event/data', code, detail };
    const errors = faults.map((fault) => ({ ...fault, pointer: `/event/data${fault.pointer}` }));
    throw new AppError('invalid-body', 'The event cannot be used.', { errors: errors.length > 0 ? errors : [whole] });
  }

  async #onLatest(filters: CompiledFilters, tenantId: string, type: string, last: number): Promise<FilterTestAnswer> {
    const { events, records, since, complete } = await this.ports.latest.find(tenantId, type, last);
    await this.#prepare(events);
    const results: Result[] = [];
    for (const event of events) {
      const data = this.ports.data.toJson(event);
      if (data.ok) results.push(resultOf(filters, event, data.json));
      // Each may take all its steps, and others are waiting.
      await turn();
    }
    return answer(results, events.length - results.length, { records, since: dateTimeOrNull(since), complete });
  }

  async #prepare(events: readonly EventEnvelope[]): Promise<void> {
    try {
      await this.ports.data.prepare(events);
    } catch (error) {
      if (!(error instanceof RegistryUnavailable)) throw error;
      const options = { headers: { 'retry-after': '2' }, cause: error };
      throw new AppError('registry-unavailable', 'A schema of the events is not known here yet.', options);
    }
  }
}

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
