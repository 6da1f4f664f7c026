import type { Delivery } from '#libs/contracts';
import { deliveryIdOf } from '#libs/core';
import { entryIdOf } from './batch-record.js';
import type { Entry, OwnedPartition } from './owned-partition.js';

/**
 * The entry of a copy that was found in a retry topic; it is entered if nothing was known of it, and its copies are the
 * caller's to add. Of a batch, its members are entered with it, and their copies settle: it stands for them.
 * @returns undefined for a batch of which nothing is open
 */
export function entryOf(partition: OwnedPartition, copy: Delivery): Entry | undefined {
  const id = entryIdOf(copy);
  const known = partition.ledger.get(id);
  if (known !== undefined) return known;
  if (copy.members === null) return partition.enter(id, copy.pos ?? 0, copy);
  const [first, ...others] = copy.members.flatMap((member) => openMember(partition, member));
  if (first === undefined) return undefined;
  const batch = partition.enterBatch(id, [first, ...others], copy);
  partition.standsFor(batch);
  return batch;
}

/** A higher copy of a batch was found: it says of which members the outcome is durable. */
export function closeMembers(partition: OwnedPartition, batch: Entry, { members }: Delivery): void {
  for (const member of members ?? []) {
    if (member.pos !== null) continue;
    const entry = partition.ledger.get(deliveryIdOf(member));
    if (entry?.batch === batch) partition.close(entry);
  }
}

function openMember(partition: OwnedPartition, member: Delivery): readonly Entry[] {
  if (member.pos === null) return [];
  const id = deliveryIdOf(member);
  const entry = partition.ledger.get(id) ?? partition.enter(id, member.pos, member);
  return entry.batch === null ? [entry] : [];
}
