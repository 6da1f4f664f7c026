import type { Delivery } from './records.generated.js';

/** Of a delivery that no worker has seen: what its later copies tell of how far it has come. */
export const firstCopy: Pick<
  Delivery,
  'attempt' | 'hop' | 'pos' | 'writer' | 'dueAt' | 'scheduleFrom' | 'scheduledSince' | 'haltedAt'
> = Object.freeze({
  attempt: 0,
  hop: 0,
  pos: null,
  writer: null,
  dueAt: null,
  scheduleFrom: 0,
  scheduledSince: null,
  haltedAt: null,
});
