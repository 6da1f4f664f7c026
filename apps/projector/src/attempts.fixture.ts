import fc from 'fast-check';
import type { Attempt } from '#libs/contracts';
import { anAttempt } from '#libs/testing';

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
