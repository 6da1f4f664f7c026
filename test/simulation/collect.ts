import type { Delivery } from '#libs/contracts';
import { deliveryIdOf } from '#libs/core';
import type {
  AttemptFact,
  BatchFact,
  CopyFact,
  DeliveryFact,
  EndpointFact,
  EventFact,
  Evidence,
  Tenure,
} from './evidence.js';
import type { Appended } from './broker.js';
import type { World } from './world.js';

/** Reads what happened out of everything that ever was appended (trimmed or not), of the receivers and of the groups. */
export function collect(world: World): Evidence {
  const { topics, broker, scenario, running } = world;
  for (const { membership } of running) membership?.settle();
  const { platform } = world.codecs.schema;
  const epoch = world.time.now() - world.time.elapsed;
  const since = (at: number | null): number | null => (at === null ? null : at - epoch);
  const retryTopics = new Set(topics.retry.map(({ name }) => name));
  const deliveries: DeliveryFact[] = [];
  const ended = new Set<string>();
  const attempts: AttemptFact[] = [];
  const copies: CopyFact[] = [];
  const batches = new Map<string, BatchFact>();
  const deadLetters: { id: string; at: number }[] = [];
  for (const { topic, partition, offset, value, at, by } of broker.history) {
    if (value === null) continue;
    if (topic === topics.deliveries) {
      if (platform.isEndOfSpace(value)) {
        ended.add(spaceOf(partition, platform.endOfSpace.decode(value)));
        continue;
      }
      const delivery = platform.delivery.decode(value);
      deliveries.push({
        id: deliveryIdOf(delivery),
        webhookId: delivery.webhookId,
        endpointId: delivery.endpointId,
        stream: delivery.stream,
        space: delivery.space,
        partition,
        pos: offset,
        sourcePartition: delivery.sourcePartition,
        sourceOffset: delivery.sourceOffset,
        ordering: delivery.ordering,
        orderingKey: delivery.orderingKey,
        afterEnd: ended.has(spaceOf(partition, delivery)),
        by: tenureAt(world.tenures, by, delivery.sourcePartition),
      });
    } else if (topic === topics.attempts) {
      const attempt = platform.attempt.decode(value);
      const { deliveryId: id, number, outcome, final } = attempt;
      const [startedAt, dueAt] = [attempt.startedAt - epoch, since(attempt.dueAt)];
      attempts.push({ id, number, outcome, final, startedAt, dueAt, at });
    } else if (topic === topics.deadLetters) {
      deadLetters.push({ id: platform.deadLetter.decode(value).deliveryId, at });
    } else if (retryTopics.has(topic) && !platform.isFence(value)) {
      const delivery = platform.delivery.decode(value);
      const { attempt, webhookId } = delivery;
      for (const one of delivery.members ?? [delivery])
        copies.push({ id: deliveryIdOf(one), attempt, dueAt: since(delivery.dueAt), at });
      if (delivery.members !== null && !batches.has(webhookId)) batches.set(webhookId, batchOf(delivery, at));
    }
  }
  return {
    events: eventsOf(broker.history.filter(({ topic }) => topic === topics.events)),
    endpoints: scenario.endpoints.map((plan): EndpointFact => ({
      endpointId: plan.endpointId,
      partition: plan.partition,
      stable: (plan.createdAt === 0 || plan.backfillFrom !== null) && !world.changed.has(plan.endpointId),
      beginsAt: world.backfills.get(plan.endpointId) ?? null,
      deletedAt: world.deletedAt.get(plan.endpointId) ?? null,
      rateLimit: plan.config.rateLimit,
    })),
    replays: [...world.database.replays.rows.values()].map(({ part }) => ({
      replayId: part.replayId,
      partition: part.partition,
      from: part.from,
      to: part.to,
      endpointIds: part.endpointIds,
      cancelled: world.replays.get(part.replayId) === 'cancelled',
    })),
    deliveries,
    attempts,
    copies,
    deadLetters,
    batches: [...batches.values()],
    posts: world.receivers.posts.map((post) => {
      const batch = batches.get(post.webhookId);
      return batch === undefined ? post : { ...post, carries: batch.members.map((one) => one.webhookId) };
    }),
    tenures: world.tenures,
    commits: world.commits,
    leftover: { behind: world.behind() },
    alarms: world.alarms,
    calm: scenario.calm,
  };
}

/** Of a replay: its end is the end of its stream, for a source partition. */
const spaceOf = (
  partition: number,
  of: { readonly stream: string; readonly sourcePartition: number; readonly space: string },
): string => `${partition} ${of.stream} ${of.sourcePartition} ${of.space}`;

function batchOf({ webhookId, endpointId, stream, members }: Delivery, at: number): BatchFact {
  const facts = (members ?? []).map((one) => ({
    id: deliveryIdOf(one),
    webhookId: one.webhookId,
    pos: one.pos ?? -1,
    body: one.body?.toString() ?? '',
  }));
  return { webhookId, endpointId, stream, members: facts, at };
}

/** The last hold of that partition that the process had begun when it called. */
function tenureAt(tenures: readonly Tenure[], by: Appended['by'], partition: number): Tenure | null {
  if (by === null) return null;
  const found = tenures.findLast(
    (one) =>
      one.group === 'dispatcher' && one.process === by.process && one.partition === partition && one.from <= by.at,
  );
  return found ?? null;
}

/** The key is no part of an event's id here: all events are of one tenant and source. */
function eventsOf(records: readonly Appended[]): EventFact[] {
  const seen = new Set<string>();
  return records.map(({ partition, offset, value }) => {
    const id = value?.subarray(5).toString() ?? '';
    const repeat = seen.has(`${partition} ${id}`);
    seen.add(`${partition} ${id}`);
    return { partition, offset, id, repeat };
  });
}
