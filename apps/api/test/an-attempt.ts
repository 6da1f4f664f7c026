import type { Attempt } from '#libs/contracts';

/** The final Attempt of a delivery that was answered with 200; `changes` say what else of it matters. */
export function anAttempt(changes: Partial<Attempt> = {}): Attempt {
  return {
    deliveryId: 'ep_1.test:1.0.0.0',
    webhookId: 'msg_1',
    tenantId: 'acme',
    endpointId: 'ep_1',
    stream: 'test:1',
    pos: 0,
    eventId: 'e1',
    eventSource: '/notes',
    eventType: 'note.added',
    configVersion: 0,
    acceptedAt: 0,
    dispatchedAt: 0,
    number: 1,
    startedAt: 1_000,
    durationMs: 12,
    url: 'https://example.com/hooks',
    requestHeaders: { 'webhook-id': 'msg_1' },
    response: { status: 200, headers: { 'x-answer': 'yes' }, body: Buffer.from('thanks'), truncated: false },
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
