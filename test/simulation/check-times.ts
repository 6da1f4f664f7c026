import type { Evidence, Violation } from './evidence.js';

const periods = { second: 1_000, minute: 60_000, hour: 3_600_000 } as const;

/** Invariant 4: in any window at most the burst and what the limit allows for, and one burst more for each new owner. */
export function checkRate({ endpoints, posts, tenures }: Evidence): Violation[] {
  const violations: Violation[] = [];
  for (const { endpointId, partition, rateLimit } of endpoints) {
    if (rateLimit === null) continue;
    const times = posts.filter((one) => one.endpointId === endpointId).map(({ at }) => at);
    const gains = tenures
      .filter((one) => one.group === 'worker' && one.partition === partition)
      .map(({ from }) => from);
    const perMs = rateLimit.limit / periods[rateLimit.per];
    times.forEach((from, first) => {
      for (let last = first + 1; last < times.length; last += 1) {
        const to = times[last] ?? from;
        const owners = 1 + gains.filter((at) => at > from && at <= to).length;
        const allowed = Math.floor(rateLimit.burst * owners + perMs * (to - from) + 1e-9);
        if (last - first + 1 > allowed) {
          violations.push({
            kind: 'rate',
            text: `${endpointId}: ${last - first + 1} POSTs from ${from} to ${to}, allowed ${allowed} (${owners} owners)`,
          });
          return;
        }
      }
    });
  }
  return violations;
}

/**
 * Invariant 6: the nth POST not before a `dueAt` that the one before it led to; and where nothing was broken and nothing
 * holds it, no later than 1 s and a tenth of its delay. (A new owner has no timers: it waits for what the topics give back.)
 */
export function checkDue(evidence: Evidence): Violation[] {
  const { attempts, copies, calm } = evidence;
  const takenOver = takeOvers(evidence);
  const dues = new Map<string, number[]>();
  const add = (id: string, number: number, dueAt: number | null): void => {
    if (dueAt === null) return;
    const key = `${id} ${number}`;
    const known = dues.get(key);
    if (known === undefined) dues.set(key, [dueAt]);
    else known.push(dueAt);
  };
  for (const { id, number, outcome, dueAt } of attempts) if (outcome === 'retry') add(id, number, dueAt);
  for (const { id, attempt, dueAt } of copies) add(id, attempt, dueAt);
  const violations: Violation[] = [];
  const ended = new Map(attempts.map(({ id, number, at }) => [`${id} ${number}`, at]));
  for (const { id, number, startedAt, outcome } of attempts) {
    if (number < 2 || outcome === 'started') continue;
    const before = dues.get(`${id} ${number - 1}`);
    const dueAt = before === undefined ? Infinity : Math.min(...before);
    if (startedAt < dueAt)
      violations.push({ kind: 'due', text: `${id}: POST ${number} at ${startedAt}, due ${dueAt}` });
    const failed = ended.get(`${id} ${number - 1}`) ?? dueAt;
    const latest = dueAt + 1_000 + 0.1 * Math.max(0, dueAt - failed);
    if (calm && startedAt > latest && (takenOver.get(id) ?? 0) < failed)
      violations.push({
        kind: 'due',
        text: `${id}: POST ${number} at ${startedAt}, due ${dueAt}, at the latest ${latest}`,
      });
  }
  return violations;
}

/** When the partition of each delivery was last taken over. */
function takeOvers({ deliveries, tenures }: Evidence): ReadonlyMap<string, number> {
  const last = new Map<number, number>();
  for (const { group, partition, from } of tenures) if (group === 'worker') last.set(partition, from);
  return new Map(deliveries.map(({ id, partition }) => [id, last.get(partition) ?? 0]));
}
