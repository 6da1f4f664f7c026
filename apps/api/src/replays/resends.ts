import type { Delivery } from '#libs/contracts';
import { eventPatternFault, parseDeliveryId, typeMatcher, type DeliverySource } from '#libs/core';
import type { DeliveryLog, EndpointRepository, Replays } from '#libs/persistence';
import type { PlatformCodecs } from '#libs/schema-codec';
import { checkId } from '../http/list-query.js';
import { AppError, notFound } from '../problem/app-error.js';
import type { ReplayAnswer } from './replay-answer.js';
import type { ReplayLog } from './replay-log.js';
import type { HowToSend } from './replay.dto.js';
import type { ReplayDesk } from './replays.js';

export interface ResendPorts {
  readonly desk: ReplayDesk;
  readonly deliveries: Pick<DeliveryLog, 'get'>;
  readonly endpoints: Pick<EndpointRepository, 'get'>;
  readonly replays: Pick<Replays, 'get'>;
  readonly log: Pick<ReplayLog, 'bounds' | 'first' | 'incarnations'>;
  readonly codecs: Pick<PlatformCodecs, 'prepare' | 'deadLetter'>;
  readonly topics: { readonly events: string; readonly deadLetters: string };
  readonly now: () => number;
}

type Origin = Pick<DeliverySource, 'incarnation' | 'sourcePartition' | 'sourceOffset'>;

/** Replays of replays of dead letters: far more than anybody makes. */
const longestChain = 100;

/** A delivery once more: a replay of the one event that it came from, as its endpoint is now. */
export class Resends {
  constructor(private readonly ports: ResendPorts) {}

  async begin(deliveryId: string, how: HowToSend): Promise<ReplayAnswer> {
    const found = await this.ports.deliveries.get(checkId('delivery', deliveryId));
    if (found === null) throw notFound('delivery', deliveryId);
    const { tenantId, endpointId, eventType } = found.delivery;
    const endpoint = await this.ports.endpoints.get(endpointId);
    if (endpoint === null) throw refused('Its endpoint was deleted.');
    if (!typeMatcher(endpoint.eventTypes.filter((one) => eventPatternFault(one) === null))(eventType))
      throw refused(`Its endpoint does not want ${eventType} any more.`);
    const origin = await this.#originOf(deliveryId);
    const { incarnation, sourcePartition: partition, sourceOffset: from } = origin;
    const at = { topic: this.ports.topics.events, partition };
    const [[bounds], [present]] = await Promise.all([this.ports.log.bounds([at]), this.ports.log.incarnations([at])]);
    if (present !== incarnation || bounds === undefined || from >= bounds.end)
      throw refused('It comes from a log that was replaced since.');
    if (from < bounds.start) throw refused('Retention has deleted its event.');
    const window = { partition, from, to: from + 1 };
    return this.ports.desk.begin(
      {
        tenantId,
        source: 'events',
        endpointIds: [endpointId],
        eventTypes: null,
        filter: null,
        selection: null,
        asConfigured: 'now',
        window: { partitions: [window] },
        gaps: [],
        partitions: [{ ...window, incarnation, ownedBy: partition }],
      },
      how,
    );
  }

  /** Where its event stands. One that came of a dead letter leads to the delivery that was given up, and so on. */
  async #originOf(deliveryId: string): Promise<Origin> {
    let source: DeliverySource | null = parseDeliveryId(deliveryId);
    for (let step = 0; source !== null && step < longestChain; step += 1) {
      if (source.stream === 'live') return source;
      const replay = await this.ports.replays.get(source.stream, this.ports.now());
      if (replay === null) break;
      if (replay.source === 'events') return source;
      source = await this.#deadLetterAt(source);
    }
    throw refused('It does not come from an event of the log, as a test does not.');
  }

  async #deadLetterAt({ sourcePartition: partition, sourceOffset: offset }: DeliverySource): Promise<Delivery> {
    const at = { topic: this.ports.topics.deadLetters, partition };
    const [bounds] = await this.ports.log.bounds([at]);
    const isThere = bounds !== undefined && offset >= bounds.start && offset < bounds.end;
    const value = isThere ? ((await this.ports.log.first(at, offset, offset + 1))?.value ?? null) : null;
    if (value === null) throw refused('Retention has deleted the dead letter that it comes from.');
    await this.ports.codecs.prepare([value]);
    return this.ports.codecs.deadLetter.decode(value).delivery;
  }
}

const refused = (why: string): AppError => new AppError('not-replayable', why);
