/**
 * The retry topics as wheels of a timing wheel (DESIGN §3, Time). `delaysMs` are the topics' delays, shortest first; a
 * topic is named by its index. Times are Unix milliseconds.
 */

/** The topic for a record that has `remainingMs` to wait: the longest delay not above it, the shortest if there is none. */
export function topicFor(delaysMs: readonly number[], remainingMs: number): number {
  let topic = 0;
  while (topic + 1 < delaysMs.length && (delaysMs[topic + 1] ?? Infinity) <= remainingMs) topic += 1;
  return topic;
}

/** When the head of a retry partition is taken up: the broker's append time plus the topic's delay. */
export function takeUpAt(appendedAt: number, topicDelayMs: number): number {
  return appendedAt + topicDelayMs;
}

/** Whether a record due in `remainingMs` would come back too late from any topic: it (also) waits in memory. */
export function waitsInMemory(delaysMs: readonly number[], remainingMs: number): boolean {
  return remainingMs < (delaysMs[0] ?? Infinity);
}

export type Placement =
  | { readonly kind: 'now' }
  | { readonly kind: 'timer'; readonly dueAt: number }
  | { readonly kind: 'hop'; readonly topic: number };

/** What to do with a record that was taken up. `dueAt` null: it may be sent at once. */
export function placementOf(delaysMs: readonly number[], dueAt: number | null, now: number): Placement {
  if (dueAt === null || dueAt <= now) return { kind: 'now' };
  if (waitsInMemory(delaysMs, dueAt - now)) return { kind: 'timer', dueAt };
  return { kind: 'hop', topic: topicFor(delaysMs, dueAt - now) };
}
