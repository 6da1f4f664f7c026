import { firstCopy, type DeadLetter, type Delivery } from '#libs/contracts';
import { webhookIdOf } from '#libs/core';
import type { LogReader, LogRecord, TopicPartition } from '#libs/kafka';
import type { PlatformCodecs } from '#libs/schema-codec';
import { BufferedRange } from '../buffered-range.js';
import type { DispatchEndpoint } from '../dispatch-endpoint.js';
import type { Form, RenderKind } from '../forms/form.js';
import type { Transformations } from '../forms/transformations.js';
import { formFields } from '../new-delivery.js';
import type { Candidate, ReplaySource, ReplayedDelivery } from './replay-source.js';
import type { ReplayPart, ReplayStore } from './replay-store.js';

export interface DeadLetterSourcePorts {
  readonly reader: Pick<LogReader, 'range'>;
  readonly codecs: Pick<PlatformCodecs, 'prepare' | 'deadLetter'>;
  readonly store: Pick<ReplayStore, 'openDeadLetters'>;
  readonly transformations: Pick<Transformations, 'run'>;
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
    return Promise.all(
      chosen.flatMap(({ candidate, endpoints }) =>
        endpoints.map(async (endpoint) => {
          const delivery = await this.#again(candidate, endpoint);
          return delivery === null ? [] : [{ delivery, endpoint }];
        }),
      ),
    ).then((made) => made.flat());
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

  /**
   * With the whole retry policy before it; URL and secret are those that the worker finds when it sends.
   * @returns null when the endpoint's transformation cancels it now
   */
  async #again(
    { deadLetter, offset }: DeadLetterCandidate,
    endpoint: DispatchEndpoint,
  ): Promise<ReplayedDelivery | null> {
    const { replayId, newIds } = this.#part;
    const before: Delivery = deadLetter.delivery;
    const { endpointId, eventSource, eventId } = before;
    const form = await formAgain(before, endpoint, this.#ports.transformations);
    if (form.kind === 'cancelled') return null;
    return {
      ...before,
      ...formFields(form),
      webhookId: newIds ? webhookIdOf(endpointId, `${replayId} ${eventSource}`, eventId) : before.webhookId,
      // What is re-consumed is the dead letter: it makes the id unique.
      sourceOffset: offset,
      configVersion: endpoint.configVersion,
      ordering: endpoint.ordering,
      dispatchedAt: this.#ports.now(),
      ...firstCopy,
    };
  }
}

/**
 * What was POSTed is POSTed again, as it was. What a transformation failed on was kept, and passes the endpoint's
 * transformation as it is now.
 */
async function formAgain(
  before: Delivery,
  endpoint: DispatchEndpoint,
  transformations: Pick<Transformations, 'run'>,
): Promise<Form> {
  const { contentType, headers, body, renderError, renderKind } = before;
  if (renderError === null && body !== null) return { kind: 'rendered', rendered: { contentType, headers, body } };
  if (renderKind !== 'transformation' || body === null) {
    return { kind: 'failed', renderKind: kindOf(before), detail: renderError ?? 'there is no body', rendered: null };
  }
  // Of its other attributes what the body says; they are not kept beside it.
  const { eventId: id, eventSource: source, eventType: type, acceptedAt } = before;
  const event = { attributes: { id, source, type, extensions: {} }, acceptedAt };
  return transformations.run(endpoint, event, { contentType, headers, body });
}

/** Without a kind, a body is missing because a worker left it out of a dead letter that was too large for a record. */
function kindOf({ renderKind, body }: Pick<Delivery, 'renderKind' | 'body'>): RenderKind {
  if (renderKind === 'version' || renderKind === 'too-large') return renderKind;
  return renderKind === null && body === null ? 'too-large' : 'transformation';
}
