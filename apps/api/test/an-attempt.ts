import type { Attempt } from '#libs/contracts';
import { anAttempt as sampleAttempt } from '#libs/testing';

/** The final Attempt of a test send that was answered with 200; `changes` say what else of it matters. */
export const anAttempt = (changes: Partial<Attempt> = {}): Attempt =>
  sampleAttempt({
    deliveryId: 'ep_1.test:1.0.0.0',
    stream: 'test:1',
    pos: 0,
    eventId: 'e1',
    eventSource: '/notes',
    eventType: 'note.added',
    configVersion: 0,
    acceptedAt: 0,
    dispatchedAt: 0,
    startedAt: 1_000,
    durationMs: 12,
    url: 'https://example.com/hooks',
    response: { status: 200, headers: { 'x-answer': 'yes' }, body: Buffer.from('thanks'), truncated: false },
    ...changes,
  });
