/**
 * Reads: records of one partition of posthorn.events, in order, decoded (`read-events.ts`).
 * Writes: one Delivery per endpoint that wants an event → posthorn.deliveries; what is invalid → posthorn.events.rejected.
 * Guarantees: the same records, from whatever dispatcher, give the same delivery ids; repeats are told by position alone.
 * A crash here: nothing is committed before all is acknowledged, so the next owner makes the same again; workers drop it.
 * Tests: dispatch.spec.ts, dispatcher.spec.ts, ownership.spec.ts (crashes), dispatch.int-spec.ts.
 */
import type { Delivery, EndpointOrdering, EndpointState } from '#libs/contracts';
import {
  fingerprintOf,
  liveStream,
  SendCaps,
  type DispatchWindow,
  type RejectionCode,
  type RepeatWindow,
  type SendLimits,
  type SourceMark,
  type Subscription,
} from '#libs/core';
import type { LogRecord, OutgoingRecord } from '#libs/kafka';
import { newDelivery, prepareEvent } from './new-delivery.js';
import type { ReadRecord, Rejection } from './read-events.js';
import { outgoingBytes, rejectedRecord } from './reject.js';

/** What dispatching needs of an endpoint, whatever its state: until its cursor is stored a paused one is dispatched to. */
export interface DispatchEndpoint extends Subscription {
  readonly ordering: EndpointOrdering;
  readonly state: EndpointState;
  /** Run of the cursors that it was created with; null: it began live. */
  readonly backfill: string | null;
  /** Offset of its record in posthorn.endpoints. */
  readonly configVersion: number;
  /** Of posthorn.deliveries. */
  readonly partition: number;
}

/** Who wants an event, as the configuration stands. */
export interface Subscribers {
  hasTenant(tenantId: string): boolean;
  match(tenantId: string, type: string): readonly DispatchEndpoint[];
}

export interface DeliveryEncoder {
  encode(delivery: Delivery): Buffer;
}

export interface DispatchTargets {
  readonly deliveries: string;
  readonly rejected: string;
  /** Of one send. */
  readonly send: SendLimits;
  /** Of one record, key and headers included. */
  readonly maxRecordBytes: number;
}

/** Who follows a source partition live. */
export interface LiveFilter {
  /** Nobody has to be asked for. */
  readonly allLive: boolean;
  isLive(endpoint: DispatchEndpoint, offset: number): boolean;
}

/** The source partition that records come from, and how far it is. */
export interface DispatchSource {
  readonly cursors: LiveFilter;
  readonly partition: number;
  readonly incarnation: number;
  readonly repeats: RepeatWindow;
  readonly window: DispatchWindow;
}

/** What is appended at once. When it is acknowledged, everything below `done` is. */
export interface DispatchSend {
  readonly records: readonly OutgoingRecord[];
  /** Null while the first record that it belongs to is not finished. */
  readonly done: { readonly mark: SourceMark; readonly fingerprint: string } | null;
  readonly deliveries: number;
  readonly repeats: number;
  readonly rejected: readonly RejectionCode[];
}

/** Ids of endpoints may differ by so much in length. */
const slackBytes = 1_024;

type Outcome = 'repeat' | 'rejected' | 'done';

export class Dispatch {
  readonly #subscribers: Subscribers;
  readonly #deliveries: DeliveryEncoder;
  readonly #targets: DispatchTargets;
  readonly #now: () => number;

  constructor(subscribers: Subscribers, deliveries: DeliveryEncoder, targets: DispatchTargets, now: () => number) {
    this.#subscribers = subscribers;
    this.#deliveries = deliveries;
    this.#targets = targets;
    this.#now = now;
  }

  /**
   * Matches and renders in source order, one send after the other, each made when it is asked for: what waits in memory
   * is one send, however many endpoints an event has. All records are taken into `source.window`.
   */
  *sends(source: DispatchSource, records: readonly ReadRecord[]): Generator<DispatchSend, void, undefined> {
    const caps = new SendCaps(this.#targets.send);
    let draft = new SendDraft();
    for (const read of records) {
      const mark = source.window.take(read.record.offset);
      const made = this.#made(source, read);
      for (let next = made.next(); ; next = made.next()) {
        if (next.done === true) {
          if (next.value === 'repeat') draft.repeats += 1;
          break;
        }
        const { record, delivery, rejected } = next.value;
        const partition = `${record.topic}-${record.partition}`;
        const bytes = outgoingBytes(record);
        if (!caps.admits(partition, bytes)) {
          yield draft.finish();
          draft = new SendDraft();
          caps.reset();
        }
        caps.add(partition, bytes);
        draft.records.push(record);
        if (delivery) draft.deliveries += 1;
        if (rejected !== null) draft.rejected.push(rejected);
      }
      draft.reached(mark, read.record);
    }
    if (draft.last !== null) yield draft.finish();
  }

  *#made(source: DispatchSource, read: ReadRecord): Generator<Made, Outcome, undefined> {
    const { record } = read;
    const identity = read.kind === 'event' ? read.event.identity : read.identity;
    if (identity !== null && source.repeats.note(identity, record.offset)) return 'repeat';
    if (read.kind === 'rejected') return yield* this.#rejected(record, read.rejection);
    const { envelope } = read.event;
    const { tenantId } = read.event.identity;
    if (!this.#subscribers.hasTenant(tenantId)) {
      const detail = `there is no tenant ${JSON.stringify(tenantId.slice(0, 200))}`;
      return yield* this.#rejected(record, { reason: 'unknown-tenant', detail });
    }
    const endpoints = this.#liveOnes(source, record.offset, this.#subscribers.match(tenantId, envelope.type));
    if (endpoints.length === 0) return 'done';
    const event = prepareEvent(read);
    const { incarnation, partition: sourcePartition } = source;
    const dispatchedAt = this.#now();
    let first = true;
    for (const endpoint of endpoints) {
      const origin = { stream: liveStream, space: '', incarnation, sourcePartition, floor: source.window.floor };
      const value = this.#deliveries.encode(newDelivery(event, endpoint, origin, dispatchedAt));
      if (first && value.length + slackBytes > this.#targets.maxRecordBytes) {
        const detail = `a delivery of it would have ${value.length} bytes; at most ${this.#targets.maxRecordBytes} fit`;
        return yield* this.#rejected(record, { reason: 'too-large', detail });
      }
      first = false;
      const { endpointId: key, partition } = endpoint;
      yield {
        record: { topic: this.#targets.deliveries, partition, key, value },
        delivery: true,
        rejected: null,
      };
    }
    return 'done';
  }

  #liveOnes(
    { cursors }: DispatchSource,
    offset: number,
    endpoints: readonly DispatchEndpoint[],
  ): readonly DispatchEndpoint[] {
    if (cursors.allLive) return endpoints;
    return endpoints.filter((endpoint) => cursors.isLive(endpoint, offset));
  }

  *#rejected(record: LogRecord, rejection: Rejection): Generator<Made, Outcome, undefined> {
    const { rejected: topic, maxRecordBytes: maxBytes } = this.#targets;
    const copy = rejectedRecord(record, rejection, { topic, maxBytes });
    yield { record: copy, delivery: false, rejected: rejection.reason };
    return 'rejected';
  }
}

interface Made {
  readonly record: OutgoingRecord;
  readonly delivery: boolean;
  readonly rejected: RejectionCode | null;
}

class SendDraft {
  readonly records: OutgoingRecord[] = [];
  readonly rejected: RejectionCode[] = [];
  deliveries = 0;
  repeats = 0;
  last: { readonly mark: SourceMark; readonly record: LogRecord } | null = null;

  reached(mark: SourceMark, record: LogRecord): void {
    this.last = { mark, record };
  }

  finish(): DispatchSend {
    const { records, rejected, deliveries, repeats, last } = this;
    // Of the record before the mark; the record itself would keep the whole fetch answer in memory.
    const done = last === null ? null : { mark: last.mark, fingerprint: fingerprintOf(last.record) };
    return { records, done, deliveries, repeats, rejected };
  }
}
