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
  | {
      readonly kind: 'event';
      readonly record: LogRecord;
      readonly event: IdentifiedEvent;
      readonly json: JsonValue;
      readonly schemaId: number;
    }
  | {
      readonly kind: 'rejected';
      readonly record: LogRecord;
      /** What it claims to be, where its attributes are in order; repeats are told by it, whatever its data is. */
      readonly identity: EventIdentity | null;
      readonly rejection: Rejection;
    };

/** A record of which only the attributes were looked at. */
export type ParsedRecord =
  | { readonly record: LogRecord; readonly event: IdentifiedEvent; readonly rejection?: never }
  | { readonly record: LogRecord; readonly event: null; readonly rejection: Rejection };

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

  /** Attributes and tenant, from the record alone (no registry): every dispatcher finds the same. */
  parse(record: LogRecord): ParsedRecord {
    const parsed = parseKafkaEvent(record, this.#limits);
    if (!parsed.ok) return { record, event: null, rejection: rejectionOf(parsed.faults) };
    const { event: envelope } = parsed;
    const tenantId = tenantOf(envelope, record.key);
    if (tenantId === null) return { record, event: null, rejection: noTenant };
    return { record, event: { envelope, identity: { tenantId, source: envelope.source, id: envelope.id } } };
  }

  /** Who an event is; null: not an event. */
  identify(record: LogRecord): EventIdentity | null {
    return this.parse(record).event?.identity ?? null;
  }

  /** Rejects while a schema that is needed cannot be had: try again, reject nothing. */
  read(records: readonly LogRecord[]): Promise<readonly ReadRecord[]> {
    return this.decode(records.map((record) => this.parse(record)));
  }

  /** `read` of what was parsed before. */
  async decode(parsed: readonly ParsedRecord[]): Promise<readonly ReadRecord[]> {
    for (;;) {
      const unprepared: EventEnvelope[] = [];
      for (const { event } of parsed) {
        if (event !== null && !this.#data.isPrepared(event.envelope)) unprepared.push(event.envelope);
      }
      if (unprepared.length > 0) await this.#data.prepare(unprepared);
      try {
        return parsed.map((one) => this.#decode(one));
      } catch (error) {
        // Forgotten again, by what others loaded meanwhile.
        if (!(error instanceof CodecError && error.code === 'not-prepared')) throw error;
      }
    }
  }

  #decode({ record, event, rejection }: ParsedRecord): ReadRecord {
    if (event === null) return { kind: 'rejected', record, identity: null, rejection };
    const data = this.#data.toJson(event.envelope);
    if (data.ok) return { kind: 'event', record, event, json: data.json, schemaId: data.schemaId };
    return {
      kind: 'rejected',
      record,
      identity: event.identity,
      rejection: { reason: data.code, detail: data.detail },
    };
  }
}

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
