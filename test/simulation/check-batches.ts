import type { BatchFact, Evidence, PostFact, Violation } from './evidence.js';

/**
 * What a receiver gets under a webhook-id is the same each time. A batch was written down before it is POSTed, is what was
 * written down, ascends by `pos`, and an event is in one batch alone.
 */
export function checkBatches({ posts, batches }: Evidence): Violation[] {
  const violations: Violation[] = [];
  const add = (text: string): void => void violations.push({ kind: 'batch', text });
  for (const [webhookId, all] of Map.groupBy(posts, (post) => post.webhookId)) {
    const other = all.find(({ body }) => body !== all[0]?.body);
    if (other !== undefined) add(`${webhookId}: the POST at ${other.at} is not what was POSTed before`);
  }
  const written = new Map(batches.map((batch) => [batch.webhookId, batch]));
  const travelsIn = new Map<string, string>();
  for (const post of posts) {
    if (!post.body.startsWith('[')) continue;
    const fault = faultOf(post, written.get(post.webhookId));
    if (fault !== null) add(`${post.webhookId} at ${post.at} by ${post.process} ${fault}`);
    for (const event of post.carries) {
      const known = travelsIn.get(event);
      if (known !== undefined && known !== post.webhookId) add(`${event} was in ${known} and is in ${post.webhookId}`);
      travelsIn.set(event, post.webhookId);
    }
  }
  return violations;
}

function faultOf({ at, body, endpointId }: PostFact, batch: BatchFact | undefined): string | null {
  if (batch === undefined || batch.at > at) return 'was not written down before';
  if (batch.endpointId !== endpointId) return `is ${batch.endpointId}'s`;
  if (body !== `[${batch.members.map((one) => one.body).join(',')}]`) return 'is not what was written down';
  if (batch.members.some(({ pos }, nth) => pos <= (batch.members[nth - 1]?.pos ?? -1))) return 'is not in order';
  return null;
}
