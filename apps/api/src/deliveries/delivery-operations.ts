/** The routes of the delivery log, for the OpenAPI document. */
import { pageOf } from '../http/page-answer.js';
import type { Operation } from '../openapi/operation.js';
import { attempt, deliveryAnswer, deliveryWithAttempts, statsAnswer } from './delivery-answers.js';
import { endpointStatsQuery, listAttemptsQuery, listDeliveriesQuery } from './delivery.dto.js';

export const deliveryOperations = {
  list: {
    id: 'listDeliveries',
    summary: 'Deliveries, newest event first',
    description: 'Those that were tried at least once, as their attempts have left them.',
    query: listDeliveriesQuery,
    answer: pageOf(deliveryAnswer),
  },
  get: { id: 'getDelivery', summary: 'One delivery with its attempts', answer: deliveryWithAttempts },
  attempts: {
    id: 'listAttempts',
    summary: 'Attempts of a delivery, in the order of the log',
    query: listAttemptsQuery,
    answer: pageOf(attempt),
  },
  stats: {
    id: 'getEndpointStats',
    summary: 'Numbers of deliveries by endpoint',
    query: endpointStatsQuery,
    answer: statsAnswer,
  },
} as const satisfies Record<string, Operation>;
