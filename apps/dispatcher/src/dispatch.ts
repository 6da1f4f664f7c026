/**
 * Reads: records of one partition of posthorn.events, in order, decoded (`read-events.ts`).
 * Writes: one Delivery per endpoint that wants an event → posthorn.deliveries; what is invalid → posthorn.events.rejected.
 * Guarantees: the same records, from whatever dispatcher, give the same delivery ids; repeats are told by position alone.
 * A crash here: nothing is committed before all is acknowledged, so the next owner makes the same again; workers drop it.
 * Tests: dispatch.spec.ts, dispatcher.spec.ts, ownership.spec.ts (crashes), dispatch.int-spec.ts.
 */
import type { Delivery } from '#libs/contracts';
import {
  fingerprintOf,
  liveStream,
  SendCaps,
  type DispatchWindow,
  type RejectionCode,
  type RepeatWindow,
  type SendLimits,
  type SourceMark,
} from '#libs/core';
import type { LogRecord, OutgoingRecord } from '#libs/kafka';
import type { DispatchEndpoint, LiveFilter, Subscribers } from './dispatch-endpoint.js';
import { EventForms, settleForms, type FormPorts } from './forms/event-forms.js';
import { mostTransformations, partsOf, transformationsAmong } from './forms/made-events.js';
import { encodeWithin, newDelivery, prepareEvent, type PreparedEvent } from './new-delivery.js';
import type { ReadRecord, Rejection } from './read-events.js';
import { outgoingBytes, rejectedRecord } from './reject.js';

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

/** The source partition that records come from, and how far it is. */
export interface DispatchSource {
  readonly cursors: LiveFilter;
  readonly partition: number;
  readonly incarnation: number;
  readonly repeats: RepeatWindow;
  readonly window: DispatchWindow;
  /** Does it again until it succeeds. @returns false when the partition was stopped meanwhile */
  settled(work: () => Promise<void>): Promise<boolean>;
  /** Whether something waits for the pipeline to stand still. */
  readonly isWaitedFor: boolean;
  /** The records from here on were not looked at: something waits. */
  putBack(from: LogRecord): void;
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

/** A record of which it is known who gets it: what is awaited for it may be awaited together with others. */
type Aimed = { readonly read: ReadRecord } & (
  { readonly kind: 'repeat' } | { readonly kind: 'rejected'; readonly rejection: Rejection } | AimedEvent
);

interface AimedEvent {
  readonly kind: 'event';
  readonly event: PreparedEvent;
  readonly forms: EventForms;
  /** An event with very many transformations comes in parts. */
  endpoints: readonly DispatchEndpoint[];
  readonly isFirst: boolean;
  readonly isLast: boolean;
}

/** Records that are looked at ahead, so that their transformations run beside each other, up to so many of these. */
const aheadRecords = 16;

export class Dispatch {
  readonly #subscribers: Subscribers;
  readonly #forms: FormPorts;
  readonly #deliveries: DeliveryEncoder;
  readonly #targets: DispatchTargets;
  readonly #now: () => number;

  constructor(
    subscribers: Subscribers,
    forms: FormPorts,
    deliveries: DeliveryEncoder,
    targets: DispatchTargets,
    now: () => number,
  ) {
    this.#subscribers = subscribers;
    this.#forms = forms;
    this.#deliveries = deliveries;
    this.#targets = targets;
    this.#now = now;
  }

  /**
   * Matches and renders in source order, one send after the other, each made when it is asked for: what waits in memory
   * is one send, however many endpoints an event has. What was looked at is taken into `source.window`. Ends early when the
   * partition is stopped, or is waited for: a slow transformation must not keep it from being frozen.
   */
  async *sends(source: DispatchSource, records: readonly ReadRecord[]): AsyncGenerator<DispatchSend, void, undefined> {
    const caps = new SendCaps(this.#targets.send);
    let draft = new SendDraft();
    let looked = 0;
    for await (const group of groupsOf(this.#aim(source, records))) {
      looked += group.filter((one) => one.kind !== 'event' || one.isFirst).length;
      if (!group.every(isReady) && !(await source.settled(() => this.#ready(group)))) return;
      for (const aimed of group) {
        const { record } = aimed.read;
        if (aimed.kind !== 'event' || aimed.isFirst) draft.begin(source.window.take(record.offset));
        for (const made of this.#made(source, aimed)) {
          const partition = `${made.record.topic}-${made.record.partition}`;
          const bytes = outgoingBytes(made.record);
          if (!caps.admits(partition, bytes)) {
            yield draft.finish();
            draft = draft.next();
            caps.reset();
          }
          caps.add(partition, bytes);
          draft.add(made);
        }
        if (aimed.kind === 'repeat') draft.repeats += 1;
        if (aimed.kind !== 'event' || aimed.isLast) draft.reached(record);
      }
      const [rest, last] = [records[looked], group.at(-1)];
      const isBetween = last === undefined || last.kind !== 'event' || last.isLast;
      if (rest !== undefined && isBetween && source.isWaitedFor) {
        source.putBack(rest.record);
        break;
      }
    }
    if (draft.last !== null) yield draft.finish();
  }

  /** Who gets what, record by record. Repeats are told by position: each record is looked at once. */
  async *#aim(source: DispatchSource, records: readonly ReadRecord[]): AsyncGenerator<Aimed, void, undefined> {
    for (const read of records) {
      const { record } = read;
      const identity = read.kind === 'event' ? read.event.identity : read.identity;
      if (identity !== null && source.repeats.note(identity, record.offset)) yield { kind: 'repeat', read };
      else if (read.kind === 'rejected') yield { kind: 'rejected', read, rejection: read.rejection };
      else yield* this.#aimEvent(source, read);
    }
  }

  async *#aimEvent(
    source: DispatchSource,
    read: Extract<ReadRecord, { kind: 'event' }>,
  ): AsyncGenerator<Aimed, void, undefined> {
    const { tenantId } = read.event.identity;
    if (!this.#subscribers.hasTenant(tenantId)) {
      const detail = `there is no tenant ${JSON.stringify(tenantId.slice(0, 200))}`;
      yield { kind: 'rejected', read, rejection: { reason: 'unknown-tenant', detail } };
      return;
    }
    const forms = new EventForms(read, this.#forms);
    const subscribed = this.#subscribers.candidates(tenantId, forms);
    const live = source.cursors.allLive
      ? subscribed
      : subscribed.filter((endpoint) => source.cursors.isLive(endpoint, read.record.offset));
    const passed = await forms.passing(live);
    const event = prepareEvent(read);
    const parts = [...partsOf(passed)];
    for (const [nth, endpoints] of parts.entries())
      yield { kind: 'event', read, event, forms, endpoints, isFirst: nth === 0, isLast: nth === parts.length - 1 };
  }

  /** Rejects while the registry is away; what it has done need not be done again. */
  async #ready(group: readonly Aimed[]): Promise<void> {
    const one = async (aimed: Aimed): Promise<void> => {
      if (aimed.kind === 'event') aimed.endpoints = await settleForms(aimed.forms, aimed.endpoints);
    };
    await Promise.all(group.map(one));
  }

  *#made(source: DispatchSource, aimed: Aimed): Generator<Made, void, undefined> {
    if (aimed.kind === 'repeat') return;
    const { record } = aimed.read;
    if (aimed.kind === 'rejected') {
      const { rejected: topic, maxRecordBytes: maxBytes } = this.#targets;
      const copy = rejectedRecord(record, aimed.rejection, { topic, maxBytes });
      yield { record: copy, rejected: aimed.rejection.reason };
      return;
    }
    const { incarnation, partition: sourcePartition } = source;
    const origin = { stream: liveStream, space: '', incarnation, sourcePartition, floor: source.window.floor };
    const dispatchedAt = this.#now();
    const { deliveries: topic, maxRecordBytes } = this.#targets;
    for (const endpoint of aimed.endpoints) {
      const form = aimed.forms.form(endpoint);
      if (form.kind === 'cancelled') continue;
      const delivery = newDelivery(aimed.event, endpoint, form, origin, dispatchedAt);
      const value = encodeWithin(delivery, this.#deliveries, maxRecordBytes);
      yield { record: { topic, partition: endpoint.partition, key: endpoint.endpointId, value }, rejected: null };
    }
    if (!aimed.isLast) aimed.forms.forgetTransformed();
  }
}

interface Made {
  readonly record: OutgoingRecord;
  /** Null: it is a delivery. */
  readonly rejected: RejectionCode | null;
}

const isReady = (aimed: Aimed): boolean => aimed.kind !== 'event' || aimed.forms.isReady(aimed.endpoints);

const transformationsOf = (aimed: Aimed): number =>
  aimed.kind === 'event' ? transformationsAmong(aimed.endpoints) : 0;

/** What is looked at together. */
async function* groupsOf(all: AsyncIterable<Aimed>): AsyncGenerator<readonly Aimed[], void, undefined> {
  let group: Aimed[] = [];
  let transformations = 0;
  for await (const aimed of all) {
    group.push(aimed);
    transformations += transformationsOf(aimed);
    if (group.length < aheadRecords && transformations < mostTransformations) continue;
    yield group;
    group = [];
    transformations = 0;
  }
  if (group.length > 0) yield group;
}

class SendDraft {
  readonly records: OutgoingRecord[] = [];
  readonly rejected: RejectionCode[] = [];
  deliveries = 0;
  repeats = 0;
  last: { readonly mark: SourceMark; readonly record: LogRecord } | null = null;
  #mark: SourceMark | null = null;

  /** A record is begun. */
  begin(mark: SourceMark): void {
    this.#mark = mark;
  }

  add({ record, rejected }: Made): void {
    this.records.push(record);
    if (rejected === null) this.deliveries += 1;
    else this.rejected.push(rejected);
  }

  /** All that comes of the record that was begun last is here. */
  reached(record: LogRecord): void {
    if (this.#mark !== null) this.last = { mark: this.#mark, record };
  }

  /** For the rest of what was begun. */
  next(): SendDraft {
    const draft = new SendDraft();
    draft.#mark = this.#mark;
    return draft;
  }

  finish(): DispatchSend {
    const { records, rejected, deliveries, repeats, last } = this;
    // Of the record before the mark; the record itself would keep the whole fetch answer in memory.
    const done = last === null ? null : { mark: last.mark, fingerprint: fingerprintOf(last.record) };
    return { records, done, deliveries, repeats, rejected };
  }
}
