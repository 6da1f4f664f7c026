import { isSuccess } from './check-loss.js';
import type { Evidence, PostFact, Violation } from './evidence.js';

/**
 * Invariant 3. Each POST of a delivery but the first needs a reason of its own among those before it: one that failed, as
 * its worker learnt; or one whose owner ended (crash, hand-over, end of the lease) before it knew that the outcome stands
 * in the log. So what dispatchers do allows no POST at all, and what happens to workers as many as were in flight.
 */
export function checkDuplicates({ posts, deliveries }: Evidence): Violation[] {
  const violations: Violation[] = [];
  const ids = new Map(deliveries.map(({ webhookId, id }) => [webhookId, id]));
  for (const [webhookId, all] of byEvent(posts)) {
    all.forEach((post, nth) => {
      const reasons = all.slice(0, nth).filter((earlier) => isReason(earlier, post.at)).length;
      if (nth <= reasons) return;
      violations.push({
        kind: 'duplicate',
        text: `${ids.get(webhookId) ?? '?'} (${webhookId}): POST ${nth + 1} at ${post.at} by ${post.process}, with ${reasons} reasons before it`,
      });
    });
  }
  return violations;
}

/** How many POSTs there were beyond a success, and the reasons that allowed for them: what the run reports. */
export function duplicateCounts({ posts }: Evidence): { readonly duplicates: number; readonly allowed: number } {
  let duplicates = 0;
  let allowed = 0;
  for (const all of byEvent(posts).values()) {
    duplicates += Math.max(0, all.filter(({ status }) => isSuccess(status)).length - 1);
    allowed += all.filter((post) => post.failedAt === null && endedUnknown(post)).length;
  }
  return { duplicates, allowed };
}

/** The POSTs of each event, alone or in a batch. */
function byEvent(posts: readonly PostFact[]): ReadonlyMap<string, readonly PostFact[]> {
  const found = new Map<string, PostFact[]>();
  for (const post of posts) {
    for (const webhookId of post.carries) {
      const all = found.get(webhookId);
      if (all === undefined) found.set(webhookId, [post]);
      else all.push(post);
    }
  }
  return found;
}

function isReason(earlier: PostFact, at: number): boolean {
  if (earlier.failedAt !== null && earlier.failedAt <= at) return true;
  return endedUnknown(earlier) && (earlier.tenure?.until ?? 0) <= at;
}

/** Its owner's right ended before the owner knew that the outcome stands in the log. */
function endedUnknown({ tenure, acknowledgedAt }: PostFact): boolean {
  if (tenure === null) return true;
  return tenure.until < Infinity && (acknowledgedAt === null || acknowledgedAt > tenure.until);
}

/** A POST is started within its owner's right to the partition alone. */
export function checkLease({ posts }: Evidence): Violation[] {
  return posts
    .filter(({ tenure, at }) => tenure === null || at > tenure.until || at < tenure.from)
    .map(({ process, webhookId, at, tenure }) => ({
      kind: 'lease',
      text: `${process} started ${webhookId} at ${at}, outside of its lease (${tenure?.from ?? '-'} to ${tenure?.until ?? '-'})`,
    }));
}
