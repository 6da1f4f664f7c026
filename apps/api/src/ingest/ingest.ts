/**
 * Reads: POST /v1/events, through events-route.ts.
 * Writes: posthorn.events, CloudEvents binary mode with Avro data.
 * Guarantees: resolves only after all in-sync replicas have every event; a batch with any fault appends nothing.
 * On a crash: whoever got no answer sends again; the dispatcher finds the repeat (DESIGN §4).
 * Tests: ingest.spec.ts, ../api-routes.int-spec.ts, ../api.int-spec.ts.
 */
import { partitionFor, toKafkaRecord, type EventEnvelope, type EventFault, type ParsedHttpEvents } from '#libs/core';
import { SendError, type OutgoingRecord, type RecordSender } from '#libs/kafka';
import { AppError, problems, type Fault, type ProblemCode } from '../problem/app-error.js';
import { eventHash, type Repeats } from './repeats.js';
import type { TenantState } from './tenant-directory.js';

export type EncodeResult =
  { readonly ok: true; readonly value: Buffer } | { readonly ok: false; readonly faults: readonly EventFault[] };

/** Schemas of event types. */
export interface EventSchemas {
  /**
   * The data as it is appended: a Confluent frame, checked against the schema of its type. Waits only for a type or a
   * schema id that was not seen before. Pointers of faults are from the data's own root.
   */
  encode(event: EventEnvelope): EncodeResult | Promise<EncodeResult>;
}

export interface Tenants {
  has(tenantId: string): boolean;
  find(tenantId: string, timeoutMs: number): Promise<TenantState>;
}

export interface IngestCounts {
  eventsAccepted(count: number): void;
  eventRejected(reason: string): void;
  repeats(count: number): void;
}

export interface IngestOptions {
  readonly topic: string;
  readonly partitions: number;
  /** Longest wait for the acknowledgement, in milliseconds. */
  readonly timeoutMs: number;
  /** Largest event as it is appended (value and headers), in bytes. */
  readonly maxEventBytes: number;
  /** Bytes that may wait for an acknowledgement at once. */
  readonly maxPendingBytes: number;
}

export interface Accepted {
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly repeat?: true;
}

interface Ready {
  readonly event: EventEnvelope;
  readonly tenantId: string;
  readonly record: OutgoingRecord;
  readonly bytes: number;
}

type Checked =
  { readonly ok: true; readonly ready: Ready } | { readonly ok: false; readonly faults: readonly EventFault[] };

/** Where the attributes and the data of an event stand in the request, for faults. */
interface Places {
  attribute(name: string): { readonly pointer: string } | { readonly header: string };
  readonly data: string;
}

const retryAfter = (seconds: number) => ({ headers: { 'retry-after': String(seconds) } });

export class Ingest {
  #pendingBytes = 0;

  constructor(
    private readonly ports: {
      readonly sender: Pick<RecordSender, 'send'>;
      readonly schemas: EventSchemas;
      readonly tenants: Tenants;
      readonly repeats: Repeats;
      readonly counts: IngestCounts;
    },
    private readonly options: IngestOptions,
  ) {}

  /**
   * Checks and appends the events of one request, all or none.
   * Throws an AppError: 4xx with every fault, or 503 when the log does not answer (the events may still appear).
   * @param owner the tenant that sends them: the only one that they may be of, and the one if they name none
   */
  async accept(parsed: ParsedHttpEvents, owner?: string): Promise<readonly Accepted[]> {
    if (!parsed.ok) throw this.#refusal(parsed.faults);
    const batched = parsed.mode === 'batched';
    const ready: Ready[] = [];
    const faults: EventFault[] = [];
    for (const [index, event] of parsed.events.entries()) {
      const places = parsed.mode === 'binary' ? inHeaders : inBody(batched ? `/${index}` : '');
      const checking = this.#check(event, places, owner);
      // Awaiting what is there already would cost a turn of the loop for every event.
      const checked = checking instanceof Promise ? await checking : checking;
      if (checked.ok) ready.push(checked.ready);
      else faults.push(...checked.faults);
    }
    if (faults.length > 0) throw this.#refusal(faults);
    return this.#append(ready);
  }

  #check(given: EventEnvelope, places: Places, owner: string | undefined): Checked | Promise<Checked> {
    const event = given.tenantid === undefined && owner !== undefined ? { ...given, tenantid: owner } : given;
    const tenantId = event.tenantid;
    if (tenantId === undefined) {
      const detail = 'tenantid is required: the tenant that the event belongs to';
      return { ok: false, faults: [{ code: 'missing-attribute', ...places.attribute('tenantid'), detail }] };
    }
    // As one that does not exist: whether it does is not for others to know.
    if (owner !== undefined && tenantId !== owner) return { ok: false, faults: [unknownTenant(tenantId, places)] };
    const encoded = this.ports.schemas.encode(event);
    if (encoded instanceof Promise || !this.ports.tenants.has(tenantId)) {
      return this.#checkSlowly(event, tenantId, encoded, places);
    }
    return this.#ready(event, tenantId, encoded, places);
  }

  async #checkSlowly(
    event: EventEnvelope,
    tenantId: string,
    encoding: EncodeResult | Promise<EncodeResult>,
    places: Places,
  ): Promise<Checked> {
    const encoded = await encoding;
    const state = this.ports.tenants.has(tenantId)
      ? 'known'
      : await this.ports.tenants.find(tenantId, this.options.timeoutMs);
    if (state === 'not-yet') {
      throw new AppError(
        'broker-unavailable',
        'The tenant is not in the log yet; nothing was appended.',
        retryAfter(2),
      );
    }
    const checked = this.#ready(event, tenantId, encoded, places);
    if (state === 'known') return checked;
    const fault = unknownTenant(tenantId, places);
    return { ok: false, faults: checked.ok ? [fault] : [fault, ...checked.faults] };
  }

  #ready(event: EventEnvelope, tenantId: string, encoded: EncodeResult, places: Places): Checked {
    if (!encoded.ok) return { ok: false, faults: encoded.faults.map((fault) => placed(fault, places)) };
    const key = event.partitionkey ?? tenantId;
    const { value, headers } = toKafkaRecord(event, encoded.value);
    let bytes = value.length;
    for (const name in headers) bytes += name.length + Buffer.byteLength(headers[name] ?? '');
    if (bytes > this.options.maxEventBytes) {
      const detail = `${bytes} bytes as it is stored; at most ${this.options.maxEventBytes} are accepted`;
      return { ok: false, faults: [{ code: 'too-large', pointer: places.data, detail }] };
    }
    const partition = partitionFor(key, this.options.partitions);
    const record = { topic: this.options.topic, partition, key, value, headers };
    return { ok: true, ready: { event, tenantId, record, bytes } };
  }

  async #append(ready: readonly Ready[]): Promise<readonly Accepted[]> {
    const { repeats, counts } = this.ports;
    const fresh: Ready[] = [];
    const marks: { partition: number; event: string }[] = [];
    const outcomes = new Set<Promise<unknown>>();
    const own = new Set<string>();
    const accepted = ready.map((one): Accepted => {
      const { id, source, type } = one.event;
      const { partition, key } = one.record;
      const event = eventHash(String(key), one.tenantId, source, id);
      const known = repeats.look(partition, event);
      const answer = { id, source, type };
      if (own.has(event)) return { ...answer, repeat: true };
      if (known.state === 'new') {
        own.add(event);
        fresh.push(one);
        marks.push({ partition, event });
        return answer;
      }
      if (known.state === 'in-flight') outcomes.add(known.outcome);
      return { ...answer, repeat: true };
    });
    if (fresh.length > 0) outcomes.add(this.#send(fresh, marks));
    try {
      await Promise.all(outcomes);
    } catch (error) {
      throw refusedBySender(error);
    }
    counts.eventsAccepted(fresh.length);
    if (fresh.length < ready.length) counts.repeats(ready.length - fresh.length);
    return accepted;
  }

  #send(fresh: readonly Ready[], marks: readonly { partition: number; event: string }[]): Promise<unknown> {
    const bytes = fresh.reduce((sum, one) => sum + one.bytes, 0);
    if (this.#pendingBytes > 0 && this.#pendingBytes + bytes > this.options.maxPendingBytes) {
      throw new AppError('overloaded', 'Nothing was appended. Try again.', retryAfter(1));
    }
    this.#pendingBytes += bytes;
    const outcome = this.ports.sender
      .send(
        fresh.map(({ record }) => record),
        { timeoutMs: this.options.timeoutMs },
      )
      .finally(() => {
        this.#pendingBytes -= bytes;
      });
    this.ports.repeats.follow(marks, outcome);
    return outcome;
  }

  #refusal(faults: readonly EventFault[]): AppError {
    const errors = faults.map(({ kind, ...fault }): Fault => {
      this.ports.counts.eventRejected(fault.code);
      const index = /^\/(\d+)(\/|$)/.exec(fault.pointer ?? '')?.[1];
      return { ...(index === undefined ? {} : { index: Number(index) }), ...fault, code: kind ?? fault.code };
    });
    const what = errors.length === 1 ? 'One thing does not fit' : `${errors.length} things do not fit`;
    return new AppError(codeOf(faults), `${what}; nothing was appended.`, { errors });
  }
}

/** One code for all: theirs, if they agree; else that of what could not even be read; else a general one. */
function codeOf(faults: readonly EventFault[]): ProblemCode {
  const codes = new Set<ProblemCode>(faults.map(({ code }) => code));
  const [first] = codes;
  if (codes.size === 1 && first !== undefined) return first;
  const worst = [...codes].find((code) => problems[code][0] !== 422);
  return worst ?? 'invalid-events';
}

const inHeaders: Places = { attribute: (name) => ({ header: `ce-${name}` }), data: '' };
const inBody = (base: string): Places => ({
  attribute: (name) => ({ pointer: `${base}/${name}` }),
  data: `${base}/data`,
});

const unknownTenant = (tenantId: string, places: Places): EventFault => ({
  code: 'unknown-tenant',
  ...places.attribute('tenantid'),
  detail: `there is no tenant ${JSON.stringify(tenantId)}`,
});

const placed = (fault: EventFault, places: Places): EventFault =>
  fault.code === 'unknown-event-type'
    ? { code: fault.code, detail: fault.detail, ...places.attribute('type') }
    : { ...fault, pointer: `${places.data}${fault.pointer ?? ''}` };

/** What the sender throws, in our codes; anything else is a bug and stays as it is. */
function refusedBySender(error: unknown): unknown {
  if (!(error instanceof SendError)) return error;
  const cause = { cause: error };
  switch (error.code) {
    case 'too-large':
      return new AppError('too-large', 'The event is larger than a record of the log may be.', cause);
    case 'closed':
      return new AppError('shutting-down', 'Nothing was appended. Try again.', { ...retryAfter(1), ...cause });
    case 'refused':
      // The brokers will never take it (authorization, settings): the operator has to know.
      return error;
    default:
      return new AppError(
        'broker-unavailable',
        'The brokers did not acknowledge in time. The event may still appear; sending it again is safe.',
        { ...retryAfter(2), ...cause },
      );
  }
}
