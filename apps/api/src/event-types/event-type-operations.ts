/** The routes of event types, for the OpenAPI document. */
import { pageOf } from '../http/page-answer.js';
import type { Operation } from '../openapi/operation.js';
import { documentAnswer, eventTypeAnswer, eventVersionAnswer, typeDifferenceAnswer } from './event-type-answers.js';
import { differenceQuery, listEventTypesQuery } from './event-type.dto.js';

export const eventTypeOperations = {
  list: {
    id: 'listEventTypes',
    summary: 'Event types, by name',
    query: listEventTypesQuery,
    answer: pageOf(eventTypeAnswer),
    problems: ['registry-unavailable'],
  },
  asyncApi: {
    id: 'getEventsAsAsyncApi',
    summary: 'All event types as an AsyncAPI document',
    answer: documentAnswer,
    problems: ['registry-unavailable'],
  },
  openApi: {
    id: 'getEventsAsOpenApi',
    summary: 'All event types as an OpenAPI document with webhooks',
    answer: documentAnswer,
    problems: ['registry-unavailable'],
  },
  get: {
    id: 'getEventType',
    summary: 'One event type',
    answer: eventTypeAnswer,
    problems: ['registry-unavailable'],
  },
  version: {
    id: 'getEventTypeVersion',
    summary: 'One version of an event type, with its schema and examples',
    answer: eventVersionAnswer,
    problems: ['registry-unavailable'],
  },
  difference: {
    id: 'compareEventTypeVersions',
    summary: 'What a consumer sees change between two versions',
    query: differenceQuery,
    answer: typeDifferenceAnswer,
    problems: ['registry-unavailable'],
  },
} as const satisfies Record<string, Operation>;
