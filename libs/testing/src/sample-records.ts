import {
  firstCopy,
  noCredentials,
  plainContent,
  withoutVerification,
  type Attempt,
  type DeadLetter,
  type Delivery,
  type EndpointConfig,
} from '#libs/contracts';
import { scheduleOf } from '#libs/core';

/** What an event's append time is in samples. */
export const sampleTime = Date.UTC(2026, 0, 1);

/** A first copy as the dispatcher appends it, with what a test wants to be otherwise. */
export function aDelivery(changes: Partial<Delivery> = {}): Delivery {
  return {
    tenantId: 'acme',
    endpointId: 'ep_1',
    webhookId: 'msg_1',
    stream: 'live',
    space: '',
    incarnation: 0,
    sourcePartition: 0,
    sourceOffset: 1,
    floor: 0,
    configVersion: 7,
    ordering: 'none',
    orderingKey: null,
    eventId: 'e-1',
    eventSource: '/source',
    eventType: 'task.updated',
    acceptedAt: sampleTime,
    dispatchedAt: sampleTime + 5,
    contentType: 'application/cloudevents+json; charset=utf-8',
    headers: {},
    body: Buffer.from('{}'),
    renderError: null,
    renderKind: null,
    members: null,
    ...firstCopy,
    ...changes,
  };
}

/** An attempt at `aDelivery` that got a 200, with what a test wants to be otherwise. */
export function anAttempt(changes: Partial<Attempt> = {}): Attempt {
  return {
    deliveryId: 'ep_1.live.0.0.1',
    webhookId: 'msg_1',
    tenantId: 'acme',
    endpointId: 'ep_1',
    stream: 'live',
    pos: 1,
    eventId: 'e-1',
    eventSource: '/source',
    eventType: 'task.updated',
    configVersion: 7,
    acceptedAt: sampleTime,
    dispatchedAt: sampleTime + 5,
    number: 1,
    startedAt: sampleTime + 10,
    durationMs: 20,
    url: 'http://127.0.0.1/hook',
    requestHeaders: { 'webhook-id': 'msg_1' },
    response: { status: 200, headers: { 'x-a': 'b' }, body: Buffer.from('ok'), truncated: false },
    error: null,
    outcome: 'delivered',
    final: true,
    deadLetterReason: null,
    dueAt: null,
    workerId: 'worker-1',
    orderingKey: null,
    batch: null,
    ...changes,
  };
}

/** Of `aDelivery` after three attempts, with what a test wants to be otherwise. */
export function aDeadLetter(changes: Partial<DeadLetter> = {}): DeadLetter {
  return {
    deliveryId: 'ep_1.live.0.0.1',
    delivery: aDelivery({ attempt: 3, hop: 3, pos: 1 }),
    reason: 'exhausted',
    at: sampleTime + 1_000,
    lastStatus: 503,
    lastError: null,
    ...changes,
  };
}

/** An active endpoint that wants everything and has no secret, with what a test wants to be otherwise. */
export function anEndpointConfig(changes: Partial<EndpointConfig> = {}): EndpointConfig {
  return {
    endpointId: 'ep_1',
    tenantId: 'acme',
    url: 'http://127.0.0.1/hook',
    eventTypes: ['*'],
    state: 'active',
    ordering: 'none',
    onExhausted: 'skip',
    secrets: [],
    maxInFlight: 16,
    adaptiveConcurrency: true,
    rateLimit: null,
    circuit: null,
    timeoutMs: 15_000,
    retry: scheduleOf([1_000]),
    resolutions: [],
    backfill: null,
    ...plainContent,
    ...noCredentials,
    ...withoutVerification,
    revision: 1,
    updatedAt: 0,
    ...changes,
  };
}
