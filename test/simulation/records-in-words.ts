import type { TopicNames } from '#libs/contracts';
import { deliveryIdOf } from '#libs/core';
import type { PlatformCodecs } from '#libs/schema-codec';
import type { Appended } from './broker.js';

/** A record for people who read a trace. */
export function inWords(topics: TopicNames, platform: PlatformCodecs, { topic, value }: Appended): string {
  if (value === null) return 'tombstone';
  if (topic === topics.attempts) {
    const { deliveryId, number, outcome, final } = platform.attempt.decode(value);
    return `Attempt ${deliveryId} number ${number} ${outcome}${final ? ' final' : ''}`;
  }
  if (topic === topics.deadLetters) return `DeadLetter ${platform.deadLetter.decode(value).deliveryId}`;
  if (topic === topics.events) return `event ${value.subarray(5).toString()}`;
  if (topic === topics.endpoints) return 'configuration';
  if (topic === topics.endpointStatus) return `status ${JSON.stringify(platform.endpointStatus.decode(value))}`;
  if (platform.isFence(value)) {
    const { era, generation, committed } = platform.fence.decode(value);
    return `Fence ${era}.${generation} committed ${committed}`;
  }
  if (platform.isEndOfSpace(value)) {
    const { endpointId, sourcePartition, space } = platform.endOfSpace.decode(value);
    return `EndOfSpace ${space} of ${endpointId}, events-${sourcePartition}`;
  }
  if (topic !== topics.deliveries && !topics.retry.some(({ name }) => name === topic)) return '';
  const { pos, hop, attempt, dueAt, writer, webhookId, ordering, orderingKey, floor, members, ...rest } =
    platform.delivery.decode(value);
  const batch = members === null ? '' : ` of ${members.map((one) => one.pos ?? '-').join()}`;
  const copy =
    pos === null
      ? ''
      : ` pos ${pos} hop ${hop} attempt ${attempt} due ${dueAt ?? '-'} by ${writer?.era}.${writer?.generation}`;
  return `Delivery ${deliveryIdOf(rest)} ${webhookId} ${ordering} ${orderingKey ?? '-'} floor ${floor}${rest.space === '' ? '' : ` space ${rest.space}`}${batch}${copy}`;
}
