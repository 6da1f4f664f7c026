import type { DeadLetterRecord, DeadLetters, DeadLetterState } from '#libs/persistence';
import { answerOf as deliveryAnswerOf, type Deliveries, type DeliveryAnswer } from '../deliveries/deliveries.js';
import { checkId, dateTime, listed } from '../http/list-query.js';
import { AppError, notFound } from '../problem/app-error.js';
import type { DiscardAllBody, DiscardBody, ListDeadLettersQuery } from './dead-letter.dto.js';

type OfDelivery = Exclude<keyof DeliveryAnswer, 'id' | 'status' | 'completedAt' | 'nextAttemptAt' | 'haltedAt'>;

export interface DeadLetterAnswer extends Omit<Pick<DeliveryAnswer, OfDelivery>, 'deadLetterReason'> {
  readonly deliveryId: string;
  readonly reason: string | null;
  /** When it was given up. */
  readonly deadLetteredAt: string | null;
  readonly state: DeadLetterState;
  /** What was done about it; null while it is open. */
  readonly resolution: {
    readonly at: string;
    readonly reason: string | null;
    readonly replayId: string | null;
    readonly actor: string | null;
  } | null;
  /** Where its record stands in the log, with its payload; null for a moment, until that is known. */
  readonly place: { readonly topic: string; readonly partition: number; readonly offset: number } | null;
}

export type DeadLetterStory = DeadLetterAnswer & Pick<Awaited<ReturnType<Deliveries['get']>>, 'attempts'>;

export interface DeadLetterPorts {
  readonly deadLetters: DeadLetters;
  readonly deliveries: Pick<Deliveries, 'get'>;
  readonly topic: string;
  readonly now: () => number;
}

/** Deliveries that were given up: to be looked at, and either sent again or discarded. */
export class DeadLetterDesk {
  constructor(private readonly ports: DeadLetterPorts) {}

  async list(query: ListDeadLettersQuery): Promise<{ data: DeadLetterAnswer[]; nextCursor: string | null }> {
    const { limit, cursor, ...filter } = query;
    const { data, nextCursor } = await listed(() => this.ports.deadLetters.list(filter, { limit, cursor }));
    return { data: data.map((one) => this.#answerOf(one)), nextCursor };
  }

  async get(deliveryId: string): Promise<DeadLetterStory> {
    const found = await this.ports.deadLetters.get(checkId('dead letter', deliveryId));
    if (found === null) throw notFound('dead letter', deliveryId);
    const { attempts } = await this.ports.deliveries.get(deliveryId);
    return { ...this.#answerOf(found), attempts };
  }

  async discard(deliveryId: string, { reason }: DiscardBody): Promise<DeadLetterAnswer> {
    const { deadLetters, now } = this.ports;
    const result = await deadLetters.discard(checkId('dead letter', deliveryId), { reason, now: now() });
    switch (result.outcome) {
      case 'unknown':
        throw notFound('dead letter', deliveryId);
      case 'not-dead-lettered':
        throw new AppError('not-open', `The delivery is ${result.status}.`);
      case 'not-open':
        throw new AppError('not-open', `The dead letter is ${result.state} already.`);
      case 'discarded': {
        const found = await deadLetters.get(deliveryId);
        if (found === null) throw notFound('dead letter', deliveryId);
        return this.#answerOf(found);
      }
    }
  }

  async discardAll({ filter, reason }: DiscardAllBody): Promise<{ readonly discarded: number }> {
    const { deadLetters, now } = this.ports;
    return { discarded: await deadLetters.discardAll(filter, { reason, now: now() }) };
  }

  #answerOf({ delivery, state, resolution, place }: DeadLetterRecord): DeadLetterAnswer {
    const {
      id,
      status: _s,
      completedAt,
      nextAttemptAt: _n,
      haltedAt: _h,
      deadLetterReason,
      ...same
    } = deliveryAnswerOf(delivery);
    return {
      deliveryId: id,
      ...same,
      reason: deadLetterReason,
      deadLetteredAt: completedAt,
      state,
      resolution: resolution && { ...resolution, at: dateTime(resolution.at) },
      place: place && { topic: this.ports.topic, ...place },
    };
  }
}
