import { parseAttributeFilter, ReplaySelection, webhookIdOf } from '#libs/core';
import type { TopicPartition } from '#libs/kafka';
import type { DispatchEndpoint } from '../dispatch-endpoint.js';
import { LogScan, type LogScanPorts } from '../log-scan.js';
import type { FormPorts } from '../forms/event-forms.js';
import { madeEvents } from '../forms/made-events.js';
import { newDelivery } from '../new-delivery.js';
import type { EventReader, ParsedRecord } from '../read-events.js';
import type { Candidate, ReplaySource } from './replay-source.js';
import type { ReplayPart, ReplayStore } from './replay-store.js';

export interface EventSourcePorts extends LogScanPorts {
  readonly events: Pick<EventReader, 'parse' | 'decode'>;
  readonly directory: { get(endpointId: string): DispatchEndpoint | undefined };
  readonly store: Pick<ReplayStore, 'pastSubscriptions'>;
  readonly forms: FormPorts;
  now(): number;
}

interface EventCandidate extends Candidate {
  readonly parsed: ParsedRecord;
}

interface Found {
  readonly endpoints: readonly DispatchEndpoint[];
  readonly candidates: readonly EventCandidate[];
  readonly end: number;
}

/** Records that are looked at at once: below W (DESIGN §3). */
const chunkRecords = 1_000;
const unfilled = { stream: '', space: '', incarnation: 0, sourcePartition: 0, floor: 0 };

/** Events of the log again, through the endpoint's subscription as it is now, or as it was then. */
export class EventSource implements ReplaySource<EventCandidate> {
  readonly #part: ReplayPart;
  readonly #at: TopicPartition;
  readonly #ports: EventSourcePorts;
  #scan: LogScan | null = null;
  #past: ReplaySelection | null = null;
  #peeked: readonly number[] = [];
  /** What was found of those, while it is not all sent and its endpoints are as they were. */
  #found: Found | null = null;
  #position: number;

  constructor(part: ReplayPart, at: TopicPartition, ports: EventSourcePorts) {
    this.#part = part;
    this.#at = at;
    this.#ports = ports;
    this.#position = part.position;
  }

  async peek(to: number): ReturnType<ReplaySource<EventCandidate>['peek']> {
    const endpoints = this.#part.endpointIds.flatMap((endpointId) => this.#ports.directory.get(endpointId) ?? []);
    if (this.#found !== null && areSame(this.#found.endpoints, endpoints)) return this.#found;
    const selection = await this.#selection(endpoints);
    this.#scan ??= await LogScan.open(this.#at, this.#position, this.#ports, this.#part.tenantId);
    const { items, end } = await this.#scan.peek(to, chunkRecords);
    this.#peeked = items.map(({ offset }) => offset);
    const candidates: EventCandidate[] = [];
    for (const { parsed } of items) {
      if (parsed === null) continue;
      const { event, record } = parsed;
      const endpointIds = selection.endpointsFor(event.identity.tenantId, event.envelope, record.timestamp);
      if (endpointIds.length > 0) candidates.push({ offset: record.offset, endpointIds, parsed });
    }
    this.#found = { endpoints, candidates, end };
    return this.#found;
  }

  async deliveries(
    chosen: Parameters<ReplaySource<EventCandidate>['deliveries']>[0],
  ): ReturnType<ReplaySource<EventCandidate>['deliveries']> {
    const { events, forms } = this.#ports;
    const dispatchedAt = this.#ports.now();
    const { replayId, newIds } = this.#part;
    const decoded = await events.decode(chosen.map(({ candidate }) => candidate.parsed));
    // Through each endpoint's filter and in its form as they are now, whenever the event came.
    const made = await madeEvents(decoded, (nth) => chosen[nth]?.endpoints ?? [], forms);
    return made.flatMap((one) => {
      if (one === null) return [];
      const { source, id } = one.event.envelope;
      return one.given.map(({ endpoint, form }) => {
        const delivery = newDelivery(one.event, endpoint, form, unfilled, dispatchedAt);
        const webhookId = newIds ? webhookIdOf(endpoint.endpointId, `${replayId} ${source}`, id) : delivery.webhookId;
        return { delivery: { ...delivery, webhookId }, endpoint };
      });
    });
  }

  replayed(): readonly string[] {
    return [];
  }

  advance(position: number): number {
    const done = this.#peeked.filter((offset) => offset < position).length;
    this.#peeked = this.#peeked.slice(done);
    this.#position = position;
    this.#scan?.advance(position);
    const left = this.#found?.candidates.filter(({ offset }) => offset >= position) ?? [];
    this.#found = this.#found === null || left.length === 0 ? null : { ...this.#found, candidates: left };
    return done;
  }

  async close(): Promise<void> {
    await this.#scan?.close();
    this.#scan = null;
    this.#found = null;
  }

  async #selection(endpoints: readonly DispatchEndpoint[]): Promise<ReplaySelection> {
    if (this.#past !== null) return this.#past;
    const { tenantId, eventTypes, endpointIds, asConfigured } = this.#part;
    const filter = this.#part.filter === null ? null : parseAttributeFilter(this.#part.filter);
    // It was checked when the replay was created.
    if (filter?.ok === false) throw new Error(`the filter of ${this.#part.replayId} cannot be read`);
    const wish = { tenantId, eventTypes, filter: filter?.matches ?? null };
    if (asConfigured === 'then') {
      const past = await this.#ports.store.pastSubscriptions(endpointIds);
      this.#past = new ReplaySelection({ ...wish, subscriptions: { asOf: 'then', past } });
      return this.#past;
    }
    return new ReplaySelection({ ...wish, subscriptions: { asOf: 'now', endpoints } });
  }
}

const areSame = <T>(some: readonly T[], others: readonly T[]): boolean =>
  some.length === others.length && some.every((one, nth) => one === others[nth]);
