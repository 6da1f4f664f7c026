import {
  parseKafkaEvent,
  tenantOf,
  type EventEnvelope,
  type EventFault,
  type EventIdentity,
  type JsonValue,
  type RejectionCode,
} from '#libs/core';
import type { LogRecord } from '#libs/kafka';
import { CodecError, type EventCatalogue } from '#libs/schema-codec';

/** What turns the data of events into JSON; `prepare` rejects while the registry is away. */
export type EventData = Pick<EventCatalogue, 'prepare' | 'isPrepared' | 'toJson'>;

export interface Rejection {
  readonly reason: RejectionCode;
  readonly detail: string;
}

/** A record of the events topic, decoded once. */
export type ReadRecord =
  | { readonly kind: 'event'; readonly record: LogRecord; readonly event: IdentifiedEvent; readonly json: JsonValue }
  | {
      readonly kind: 'rejected';
      readonly record: LogRecord;
      /** What it claims to be, where its attributes are in order; repeats are told by it, whatever its data is. */
      readonly identity: EventIdentity | null;
      readonly rejection: Rejection;
    };

export interface IdentifiedEvent {
  readonly identity: EventIdentity;
  readonly envelope: EventEnvelope;
}

/**
 * Decodes records of the events topic: binding, attributes, tenant, then the data by its schema. What is wrong with a
 * record is data, not an exception.
 */
export class EventReader {
  readonly #data: EventData;
  readonly #limits: { readonly maxBytes: number };

  constructor(data: EventData, maxEventBytes: number) {
    this.#data = data;
    this.#limits = { maxBytes: maxEventBytes };
  }

  /** Tenant, source and id, from the record alone (no registry): every dispatcher finds the same. Null: not an event. */
  identify(record: LogRecord): EventIdentity | null {
    const parsed = this.#parse(record);
    return 'identity' in parsed ? parsed.identity : null;
  }

  /** Rejects while a schema that is needed cannot be had: try again, reject nothing. */
  async read(records: readonly LogRecord[]): Promise<readonly ReadRecord[]> {
    const parsed = records.map((record) => this.#parse(record));
    for (;;) {
      const unprepared: EventEnvelope[] = [];
      for (const one of parsed) {
        if ('envelope' in one && !this.#data.isPrepared(one.envelope)) unprepared.push(one.envelope);
      }
      if (unprepared.length > 0) await this.#data.prepare(unprepared);
      try {
        return records.map((record, at) => this.#read(record, parsed[at] ?? malformed));
      } catch (error) {
        // Forgotten again, by what others loaded meanwhile.
        if (!(error instanceof CodecError && error.code === 'not-prepared')) throw error;
      }
    }
  }

  #parse(record: LogRecord): IdentifiedEvent | Rejection {
    const parsed = parseKafkaEvent(record, this.#limits);
    if (!parsed.ok) return rejectionOf(parsed.faults);
    const { event: envelope } = parsed;
    const tenantId = tenantOf(envelope, record.key);
    if (tenantId === null) return noTenant;
    return { envelope, identity: { tenantId, source: envelope.source, id: envelope.id } };
  }

  #read(record: LogRecord, parsed: IdentifiedEvent | Rejection): ReadRecord {
    if (!('envelope' in parsed)) return { kind: 'rejected', record, identity: null, rejection: parsed };
    const data = this.#data.toJson(parsed.envelope);
    if (data.ok) return { kind: 'event', record, event: parsed, json: data.json };
    const rejection = { reason: data.code, detail: data.detail };
    return { kind: 'rejected', record, identity: parsed.identity, rejection };
  }
}

const malformed: Rejection = { reason: 'malformed', detail: 'not read' };
const noTenant: Rejection = {
  reason: 'missing-attribute',
  detail: 'there is neither the extension tenantid nor a record key',
};

/** The first fault names the reason; the detail lists them all, with their places. */
function rejectionOf(faults: readonly EventFault[]): Rejection {
  const lines = faults.slice(0, 10).map(({ detail, header, pointer }) => {
    const place = header ?? (pointer === '' ? undefined : pointer);
    return place === undefined ? detail : `${place}: ${detail}`;
  });
  if (faults.length > lines.length) lines.push(`and ${faults.length - lines.length} more`);
  return { reason: faults[0]?.code ?? 'malformed', detail: lines.join('; ') };
}
