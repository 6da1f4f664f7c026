import type { DeliveryFact, Evidence, Violation } from './evidence.js';

/**
 * Invariant 1. What the dispatcher that committed an event had sent of it must come to an end: delivered (then its receiver
 * has accepted it), in dead letters, or dropped with its endpoint. What another had sent, with another configuration, may
 * be settled as a repeat. And nothing may be left over.
 */
export function checkLoss(evidence: Evidence): Violation[] {
  return [...undispatched(evidence), ...unreplayed(evidence), ...unended(evidence), ...pending(evidence)];
}

function undispatched({ events, endpoints, deliveries }: Evidence): Violation[] {
  const live = deliveries.filter(({ stream }) => stream === 'live');
  const made = new Set(live.map((one) => `${one.sourcePartition} ${one.sourceOffset} ${one.endpointId}`));
  const lost: Violation[] = [];
  for (const { partition, offset, id, repeat } of events) {
    if (repeat) continue;
    for (const { endpointId, stable, beginsAt } of endpoints) {
      if (offset < (beginsAt?.[partition] ?? 0)) {
        if (made.has(`${partition} ${offset} ${endpointId}`))
          lost.push({
            kind: 'order',
            text: `event ${id} (${partition}@${offset}) lies before the begin of ${endpointId}`,
          });
        continue;
      }
      if (stable && !made.has(`${partition} ${offset} ${endpointId}`))
        lost.push({ kind: 'loss', text: `event ${id} (${partition}@${offset}) was never dispatched to ${endpointId}` });
    }
  }
  return lost;
}

/** A replay that nobody cancelled sends its window, but for repeats, and nothing else, to each endpoint that stays. */
function unreplayed({ events, endpoints, deliveries, replays }: Evidence): Violation[] {
  const violations: Violation[] = [];
  const deleted = new Set(endpoints.filter(({ deletedAt }) => deletedAt !== null).map(({ endpointId }) => endpointId));
  const ofReplays = deliveries.filter(({ stream }) => stream !== 'live');
  const made = new Set(
    ofReplays.map((one) => `${one.stream} ${one.sourcePartition} ${one.sourceOffset} ${one.endpointId}`),
  );
  const wanted = new Set<string>();
  for (const { replayId, partition, from, to, endpointIds, cancelled } of replays) {
    for (const { offset, id, repeat } of events.filter((one) => one.partition === partition)) {
      if (repeat || offset < from || offset >= to) continue;
      for (const endpointId of endpointIds) {
        const name = `${replayId} ${partition} ${offset} ${endpointId}`;
        wanted.add(name);
        if (!made.has(name) && !cancelled && !deleted.has(endpointId))
          violations.push({
            kind: 'loss',
            text: `event ${id} (${partition}@${offset}) was not sent to ${endpointId} by ${replayId}`,
          });
      }
    }
  }
  for (const name of made) if (!wanted.has(name)) violations.push({ kind: 'order', text: `${name} was not asked for` });
  return violations;
}

function unended(evidence: Evidence): Violation[] {
  const { attempts, deadLetters, posts, endpoints, replays } = evidence;
  const cancelled = new Set(replays.filter((one) => one.cancelled).map(({ replayId }) => replayId));
  const ends = new Map<string, Set<string>>();
  const violations: Violation[] = [];
  const dead = new Map<string, number>();
  for (const { id, at } of deadLetters) dead.set(id, Math.min(dead.get(id) ?? at, at));
  for (const { id, outcome, final, at } of attempts) {
    if (!final) continue;
    const outcomes = ends.get(id) ?? new Set();
    ends.set(id, outcomes.add(outcome));
    if ((outcome === 'deadLetter' || outcome === 'disable') && (dead.get(id) ?? Infinity) > at)
      violations.push({ kind: 'loss', text: `${id} was closed as ${outcome} before its dead letter stood` });
  }
  const accepted = new Set(posts.filter(({ status }) => isSuccess(status)).flatMap(({ carries }) => carries));
  const deleted = new Set(endpoints.filter(({ deletedAt }) => deletedAt !== null).map(({ endpointId }) => endpointId));
  const behind = new Set(evidence.leftover.behind.map(({ partition }) => partition));
  for (const { id, webhookId, endpointId, partition, stream, afterEnd } of committedDeliveries(evidence)) {
    const outcomes = ends.get(id);
    // A dispatcher that died before its replay was cancelled may still be heard of when the next one has ended it.
    if (outcomes === undefined && afterEnd && cancelled.has(stream)) continue;
    // Where a position has not got to its end it may still stand there, however long it took.
    const kind = behind.has(partition) ? 'pending' : 'loss';
    if (outcomes === undefined) violations.push({ kind, text: `${id} (${webhookId}) has no end` });
    else if (outcomes.has('delivered') && !accepted.has(webhookId))
      violations.push({ kind: 'loss', text: `${id} counts as delivered, but its receiver never accepted it` });
    else if (outcomes.has('dropped') && !deleted.has(endpointId) && !cancelled.has(stream))
      violations.push({ kind: 'loss', text: `${id} was dropped, but ${endpointId} was not deleted` });
  }
  return violations;
}

/** What the dispatcher that committed the event had sent of it; one of each id. */
export function committedDeliveries({ deliveries, commits }: Evidence): Iterable<DeliveryFact> {
  const found = new Map<string, DeliveryFact>();
  const ofSource = commits.filter(({ group }) => group === 'dispatcher');
  for (const delivery of deliveries) {
    const { id, sourcePartition, sourceOffset, by, space, stream } = delivery;
    if (found.has(id)) continue;
    const committed = ofSource.some(
      (one) =>
        one.partition === sourcePartition && one.tenure === by && one.from <= sourceOffset && sourceOffset < one.to,
    );
    // What is caught up or replayed counts, whoever sent it.
    if (committed || space !== '' || stream !== 'live') found.set(id, delivery);
  }
  return found.values();
}

function pending({ leftover, alarms, commits }: Evidence): Violation[] {
  const violations: Violation[] = leftover.behind.map(({ text }) => ({ kind: 'pending', text }));
  for (const text of alarms) violations.push({ kind: 'alarm', text });
  for (const { group, partition, from, to, process } of commits) {
    if (to < from)
      violations.push({
        kind: 'commit',
        text: `${process} committed ${group}-${partition} backwards: ${from} → ${to}`,
      });
  }
  const positions = new Map<string, number>();
  for (const { group, partition, retries, process } of commits) {
    for (const [delayMs, position] of retries) {
      const name = `${group}-${partition} retry ${delayMs}`;
      const before = positions.get(name) ?? 0;
      if (position < before)
        violations.push({ kind: 'commit', text: `${process} committed ${name} backwards: ${before} → ${position}` });
      positions.set(name, position);
    }
  }
  return violations;
}

export const isSuccess = (status: number | null): boolean => status !== null && status >= 200 && status < 300;
