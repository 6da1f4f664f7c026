import type { DeadLetter, Delivery } from '#libs/contracts';
import { webhookIdOf } from '#libs/core';
import type { LogReader, LogRecord, TopicPartition } from '#libs/kafka';
import type { PlatformCodecs } from '#libs/schema-codec';
import { BufferedRange } from '../buffered-range.js';
import type { DispatchEndpoint } from '../dispatch-endpoint.js';
import type { Candidate, ReplaySource, ReplayedDelivery } from './replay-source.js';
import type { ReplayPart, ReplayStore } from './replay-store.js';

export interface DeadLetterSourcePorts {
  readonly reader: Pick<LogReader, 'range'>;
  readonly codecs: Pick<PlatformCodecs, 'prepare' | 'deadLetter'>;
  readonly store: Pick<ReplayStore, 'openDeadLetters'>;
  now(): number;
}

interface DeadLetterCandidate extends Candidate {
  readonly deadLetter: DeadLetter;
}

const chunkRecords = 200;

/** Dead letters again, each delivery id once: what is open of them, as the endpoint is configured now. */
export class DeadLetterSource implements ReplaySource<DeadLetterCandidate> {
  readonly #part: ReplayPart;
  readonly #ports: DeadLetterSourcePorts;
  readonly #endpoints: ReadonlySet<string>;
  readonly #range: BufferedRange<LogRecord>;
  #peeked: readonly number[] = [];

  constructor(part: ReplayPart, at: TopicPartition, ports: DeadLetterSourcePorts) {
    this.#part = part;
    this.#ports = ports;
    this.#endpoints = new Set(part.endpointIds);
    this.#range = new BufferedRange(at, part.position, ports.reader, (record) => record);
  }

  async peek(to: number): ReturnType<ReplaySource<DeadLetterCandidate>['peek']> {
    const { codecs, store } = this.#ports;
    const { items, end } = await this.#range.peek(to, chunkRecords);
    this.#peeked = items.map(({ offset }) => offset);
    await codecs.prepare(items.map(({ value }) => value));
    const found = new Map<string, DeadLetterCandidate>();
    for (const { value, offset } of items) {
      if (value === null) continue;
      const deadLetter = codecs.deadLetter.decode(value);
      const { endpointId } = deadLetter.delivery;
      // A worker that died may have written one of the same delivery before.
      if (!this.#endpoints.has(endpointId) || found.has(deadLetter.deliveryId)) continue;
      found.set(deadLetter.deliveryId, { offset, endpointIds: [endpointId], deadLetter });
    }
    const open = await store.openDeadLetters(this.#part.replayId, [...found.keys()]);
    const candidates = [...found].flatMap(([deliveryId, candidate]) => (open.has(deliveryId) ? [candidate] : []));
    return { candidates, end };
  }

  deliveries(
    chosen: Parameters<ReplaySource<DeadLetterCandidate>['deliveries']>[0],
  ): ReturnType<ReplaySource<DeadLetterCandidate>['deliveries']> {
    return Promise.resolve(
      chosen.flatMap(({ candidate, endpoints }) =>
        endpoints.map((endpoint) => ({ delivery: this.#again(candidate, endpoint), endpoint })),
      ),
    );
  }

  replayed(chosen: readonly DeadLetterCandidate[]): readonly string[] {
    return chosen.map(({ deadLetter }) => deadLetter.deliveryId);
  }

  advance(position: number): number {
    const done = this.#peeked.filter((offset) => offset < position).length;
    this.#peeked = this.#peeked.slice(done);
    this.#range.advance(position);
    return done;
  }

  close(): Promise<void> {
    return this.#range.close();
  }

  /** With the whole retry policy before it; URL and secret are those that the worker finds when it sends. */
  #again({ deadLetter, offset }: DeadLetterCandidate, endpoint: DispatchEndpoint): ReplayedDelivery {
    const { replayId, newIds } = this.#part;
    const before: Delivery = deadLetter.delivery;
    const { endpointId, eventSource, eventId } = before;
    return {
      ...before,
      webhookId: newIds ? webhookIdOf(endpointId, `${replayId} ${eventSource}`, eventId) : before.webhookId,
      // What is re-consumed is the dead letter: it makes the id unique.
      sourceOffset: offset,
      configVersion: endpoint.configVersion,
      ordering: endpoint.ordering,
      dispatchedAt: this.#ports.now(),
      attempt: 0,
      hop: 0,
      pos: null,
      writer: null,
      dueAt: null,
      scheduleFrom: 0,
      scheduledSince: null,
      haltedAt: null,
    };
  }
}
