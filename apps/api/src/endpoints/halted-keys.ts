import type { HaltAction } from '#libs/contracts';
import type { EndpointRepository, HaltedKey, HaltedKeys } from '#libs/persistence';
import type { z } from 'zod';
import { checkId, dateTime, listed } from '../http/list-query.js';
import type { Publication } from '../outbox/publish-outbox.js';
import { AppError, notFound } from '../problem/app-error.js';
import type { listHaltedKeysQuery } from './halted-key.dto.js';

export interface HaltedKeyAnswer {
  readonly deliveryId: string;
  /** Null: the key shared by all events that have none. */
  readonly orderingKey: string | null;
  readonly event: { readonly id: string; readonly source: string; readonly type: string };
  /** POSTs that were made. */
  readonly attemptCount: number;
  readonly haltedAt: string;
  readonly lastStatus: number | null;
  readonly lastError: { readonly kind: string; readonly message: string } | null;
  /** What was decided since, and not seen done yet. */
  readonly resolution: ResolutionAnswer | null;
}

export interface ResolutionAnswer {
  readonly deliveryId: string;
  readonly action: HaltAction;
  readonly at: string;
}

export interface HaltedKeyPorts {
  readonly keys: HaltedKeys;
  readonly endpoints: Pick<EndpointRepository, 'get'>;
  readonly publication: Publication;
  readonly now: () => number;
}

/** The ordering keys of an endpoint that wait for a decision (`onExhausted: halt`), each at its exhausted delivery. */
export class EndpointHaltedKeys {
  constructor(private readonly ports: HaltedKeyPorts) {}

  async list(
    endpointId: string,
    query: z.output<typeof listHaltedKeysQuery>,
  ): Promise<{ data: HaltedKeyAnswer[]; nextCursor: string | null }> {
    await this.#checkEndpoint(endpointId);
    const { data, nextCursor } = await listed(() => this.ports.keys.list(endpointId, query));
    return { data: data.map(answerOf), nextCursor };
  }

  /** Workers are told through the log; the projection shows when it has been done. */
  async resolve(endpointId: string, deliveryId: string, action: HaltAction): Promise<ResolutionAnswer> {
    await this.#checkEndpoint(endpointId);
    const result = await this.ports.keys.resolve(endpointId, checkId('delivery', deliveryId), action, this.ports.now());
    switch (result.outcome) {
      case 'unknown-endpoint':
        throw notFound('endpoint', endpointId);
      case 'unknown-delivery':
        throw notFound('delivery of this endpoint', deliveryId);
      case 'not-halted':
        throw new AppError('not-halted', `The delivery is ${result.status}.`);
      case 'accepted':
        await this.ports.publication.published();
        return { deliveryId, action, at: dateTime(result.at) };
    }
  }

  async #checkEndpoint(id: string): Promise<void> {
    if ((await this.ports.endpoints.get(checkId('endpoint', id))) === null) throw notFound('endpoint', id);
  }
}

const answerOf = ({ delivery, resolution }: HaltedKey): HaltedKeyAnswer => ({
  deliveryId: delivery.deliveryId,
  orderingKey: delivery.orderingKey,
  event: { id: delivery.eventId, source: delivery.eventSource, type: delivery.eventType },
  attemptCount: delivery.attempts,
  haltedAt: dateTime(delivery.haltedAt ?? delivery.dispatchedAt),
  lastStatus: delivery.lastStatus,
  lastError: delivery.lastError,
  resolution: resolution && { deliveryId: delivery.deliveryId, action: resolution.action, at: dateTime(resolution.at) },
});
