import { parseAttributeFilter, ReplaySelection, webhookIdOf } from '#libs/core';
import type { TopicPartition } from '#libs/kafka';
import type { DispatchEndpoint } from '../dispatch-endpoint.js';
import { LogScan, type LogScanPorts } from '../log-scan.js';
import { newDelivery, prepareEvent } from '../new-delivery.js';
import type { EventReader, ParsedRecord } from '../read-events.js';
import type { Candidate, ReplaySource, ReplayedDelivery } from './replay-source.js';
import type { ReplayPart, ReplayStore } from './replay-store.js';

export interface EventSourcePorts extends LogScanPorts {
  readonly events: Pick<EventReader, 'parse' | 'decode'>;
  readonly directory: { get(endpointId: string): DispatchEndpoint | undefined };
  readonly store: Pick<ReplayStore, 'pastSubscriptions'>;
  now(): number;
}

interface EventCandidate extends Candidate {
  readonly parsed: ParsedRecord;
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
  #position: number;

  constructor(part: ReplayPart, at: TopicPartition, ports: EventSourcePorts) {
    this.#part = part;
    this.#at = at;
    this.#ports = ports;
    this.#position = part.position;
  }

  async peek(to: number): ReturnType<ReplaySource<EventCandidate>['peek']> {
    const selection = await this.#selection();
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
    return { candidates, scanned: items.length, end };
  }

  async deliveries(
    chosen: Parameters<ReplaySource<EventCandidate>['deliveries']>[0],
  ): ReturnType<ReplaySource<EventCandidate>['deliveries']> {
    const { events } = this.#ports;
    const dispatchedAt = this.#ports.now();
    const { replayId, newIds } = this.#part;
    const decoded = await events.decode(chosen.map(({ candidate }) => candidate.parsed));
    const made: { readonly delivery: ReplayedDelivery; readonly endpoint: DispatchEndpoint }[] = [];
    for (const [nth, read] of decoded.entries()) {
      // It was rejected when it came, too.
      if (read.kind === 'rejected') continue;
      const event = prepareEvent(read);
      for (const endpoint of chosen[nth]?.endpoints ?? []) {
        const delivery = newDelivery(event, endpoint, unfilled, dispatchedAt);
        const { source, id } = event.envelope;
        const webhookId = newIds ? webhookIdOf(endpoint.endpointId, `${replayId} ${source}`, id) : delivery.webhookId;
        made.push({ delivery: { ...delivery, webhookId }, endpoint });
      }
    }
    return made;
  }

  replayed(): readonly string[] {
    return [];
  }

  advance(position: number): number {
    const done = this.#peeked.filter((offset) => offset < position).length;
    this.#peeked = this.#peeked.slice(done);
    this.#position = position;
    this.#scan?.advance(position);
    return done;
  }

  async close(): Promise<void> {
    await this.#scan?.close();
    this.#scan = null;
  }

  async #selection(): Promise<ReplaySelection> {
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
    const endpoints = endpointIds.flatMap((endpointId) => this.#ports.directory.get(endpointId) ?? []);
    return new ReplaySelection({ ...wish, subscriptions: { asOf: 'now', endpoints } });
  }
}
