import type { Attempt, Delivery } from '#libs/contracts';
import type { Entry } from './owned-partition.js';

/** A delivery that an outcome is told of. */
export interface Subject {
  readonly entry: Entry;
  readonly delivery: Delivery;
  /** Null: it travels alone. */
  readonly batch: Attempt['batch'];
}

/** A delivery itself; of a batch, its members without an outcome. It must be here. */
export function subjectsOf(entry: Entry): readonly Subject[] {
  const { delivery } = entry;
  if (entry.members === null || delivery.members === null) return [{ entry, delivery, batch: null }];
  const open = new Map([...entry.members].map((member) => [member.pos, member]));
  const { webhookId: id, attempt, members } = delivery;
  return members.flatMap((member, place): Subject[] => {
    const found = open.get(member.pos ?? -1);
    if (found === undefined) return [];
    return [{ entry: found, delivery: { ...member, attempt }, batch: { id, size: members.length, place } }];
  });
}

/** The members as the next copy holds them. */
export function membersNow(entry: Entry): Delivery['members'] {
  const { members } = entry.delivery;
  if (entry.members === null || members === null || entry.members.size === members.length) return members;
  const open = new Set([...entry.members].map(({ pos }) => pos));
  return members.map((member) => (open.has(member.pos ?? -1) ? member : { ...member, pos: null }));
}
