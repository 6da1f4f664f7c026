import fc from 'fast-check';
import type { Attempt, DeadLetter } from '#libs/contracts';

/** An attempt that got a 200, with what a test wants to be otherwise. */
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
    acceptedAt: 1_800_000_000_000,
    dispatchedAt: 1_800_000_000_005,
    number: 1,
    startedAt: 1_800_000_000_010,
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

/** Of a delivery of `anAttempt`. */
export function aDeadLetter(deliveryId: string): DeadLetter {
  const { tenantId, endpointId, webhookId, stream, eventId, eventSource, eventType, acceptedAt, dispatchedAt } =
    anAttempt();
  return {
    deliveryId,
    delivery: {
      tenantId,
      endpointId,
      webhookId,
      stream,
      eventId,
      eventSource,
      eventType,
      acceptedAt,
      dispatchedAt,
      incarnation: 0,
      sourcePartition: 0,
      sourceOffset: 1,
      floor: 0,
      configVersion: 7,
      ordering: 'none',
      orderingKey: null,
      contentType: 'application/json',
      headers: {},
      body: Buffer.from('{}'),
      renderError: null,
      attempt: 3,
      hop: 3,
      pos: 1,
      writer: null,
      dueAt: null,
      scheduleFrom: 0,
      scheduledSince: null,
      haltedAt: null,
      space: '',
      renderKind: null,
      members: null,
    },
    reason: 'exhausted',
    at: 1_800_000_001_000,
    lastStatus: 503,
    lastError: null,
  };
}

const refused = { status: 503, headers: {}, body: Buffer.from('busy "now", \\ {so} \0'), truncated: true };

/** Any attempts of a few deliveries in the order of a log: retries, repeats after a crash, outcomes that contradict. */
export const someAttempts = fc.array(
  fc
    .record({
      delivery: fc.nat({ max: 5 }),
      number: fc.nat({ max: 4 }),
      startedAt: fc.integer({ min: 1_800_000_000_000, max: 1_800_000_100_000 }),
      durationMs: fc.nat({ max: 5_000 }),
      kind: fc.constantFrom('delivered', 'retry', 'retry', 'timeout', 'deadLetter', 'dropped', 'halted', 'started'),
      orderingKey: fc.constantFrom(null, 'task-1', 'task\0 2'),
      batch: fc.constantFrom(null, { id: 'msg_b', size: 2, place: 1 }),
    })
    .map(({ delivery, kind, ...drawn }): Attempt => {
      const { startedAt } = drawn;
      const endpointId = `ep_${delivery % 2}`;
      const made = { deliveryId: `${endpointId}.live.0.0.${delivery}`, endpointId, ...drawn };
      switch (kind) {
        case 'delivered':
          return anAttempt(made);
        case 'retry':
          return anAttempt({ ...made, outcome: 'retry', final: false, response: refused, dueAt: startedAt + 5_000 });
        case 'timeout': {
          const error = { kind: 'timeout', message: 'no answer\0 within 15 s' };
          return anAttempt({
            ...made,
            outcome: 'retry',
            final: false,
            response: null,
            error,
            dueAt: startedAt + 9_000,
          });
        }
        case 'halted':
          return anAttempt({ ...made, outcome: 'halted', final: false, response: refused });
        case 'started':
          return anAttempt({ ...made, outcome: 'started', final: false, response: null });
        case 'deadLetter':
          return anAttempt({ ...made, outcome: 'deadLetter', response: refused, deadLetterReason: 'exhausted' });
        default:
          return anAttempt({ ...made, outcome: 'dropped', response: null, url: '', requestHeaders: {} });
      }
    }),
  { minLength: 1, maxLength: 40 },
);
