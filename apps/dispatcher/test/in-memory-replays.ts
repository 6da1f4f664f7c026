import type { PastSubscription, ReplayCheckpoint, ReplayPart, ReplayStore } from '../src/replays/replay-store.js';
import type { InMemoryCursors } from './in-memory-cursors.js';

interface Row {
  part: ReplayPart;
  done: boolean;
}

/** ReplayStore as PostgreSQL would be, under the epochs of the cursors'. */
export class InMemoryReplays implements ReplayStore {
  readonly rows = new Map<string, Row>();
  /** Dead letters that nothing was done about: delivery ids. */
  readonly open = new Set<string>();
  past: readonly PastSubscription[] = [];
  checkpoints = 0;

  constructor(private readonly cursors: InMemoryCursors) {}

  add(part: ReplayPart): void {
    this.rows.set(`${part.replayId} ${part.partition}`, { part, done: false });
  }

  parts(ownedBy: number, replayId?: string): Promise<readonly ReplayPart[]> {
    const found = [...this.rows.values()].filter(
      ({ part, done }) => !done && part.partition === ownedBy && (replayId ?? part.replayId) === part.replayId,
    );
    return Promise.resolve(found.map(({ part }) => part));
  }

  checkpoint(ownedBy: number, epoch: number, at: ReplayCheckpoint): Promise<boolean> {
    if (this.cursors.epochs.get(ownedBy) !== epoch) return Promise.resolve(false);
    const row = this.rows.get(`${at.replayId} ${at.partition}`);
    if (row === undefined || row.done || at.position < row.part.position) return Promise.resolve(true);
    const { position, scanned, matched, sent, done } = at;
    row.part = { ...row.part, position, scanned, matched, sent };
    row.done = done;
    this.checkpoints += 1;
    for (const deliveryId of at.replayed) this.open.delete(deliveryId);
    return Promise.resolve(true);
  }

  openDeadLetters(_: string, deliveryIds: readonly string[]): Promise<ReadonlySet<string>> {
    return Promise.resolve(new Set(deliveryIds.filter((deliveryId) => this.open.has(deliveryId))));
  }

  pastSubscriptions(): Promise<readonly PastSubscription[]> {
    return Promise.resolve(this.past);
  }
}
