import type { InMemoryStore } from './in-memory-store.js';
import { OffsetOutOfRange, partitionName, type FeedHandler, type LogFeed, type TopicPartition } from './ports.js';

interface Followed {
  readonly at: TopicPartition;
  readonly handler: FeedHandler;
  position: number;
  toldEnd: number;
  paused: boolean;
}

const recordsPerBatch = 500;

export class InMemoryFeed implements LogFeed {
  private readonly followed = new Map<string, Followed>();
  private scheduled = false;

  constructor(
    private readonly log: InMemoryStore,
    private readonly onClose: () => void,
  ) {}

  follow({ topic, partition }: TopicPartition, offset: number, handler: FeedHandler): void {
    const at = { topic, partition };
    this.followed.set(partitionName(at), { at, handler, position: offset, toldEnd: -1, paused: false });
    this.wake();
  }

  pause(partition: TopicPartition): void {
    const followed = this.followed.get(partitionName(partition));
    if (followed !== undefined) followed.paused = true;
  }

  resume(partition: TopicPartition): void {
    const followed = this.followed.get(partitionName(partition));
    if (followed !== undefined) followed.paused = false;
    this.wake();
  }

  unfollow(partition: TopicPartition): void {
    this.followed.delete(partitionName(partition));
  }

  close(): Promise<void> {
    this.followed.clear();
    this.onClose();
    return Promise.resolve();
  }

  /** There may be something to deliver. */
  wake(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    this.log.defer(() => {
      this.scheduled = false;
      if (!this.log.available) return;
      for (const [name, followed] of this.followed) {
        if (this.followed.get(name) === followed && !followed.paused && this.deliver(name, followed)) this.wake();
      }
    });
  }

  /** @returns whether there is more. */
  private deliver(name: string, followed: Followed): boolean {
    const stored = this.log.stored(followed.at);
    // A topic that does not exist yet is waited for.
    if (stored === undefined) return false;
    const bounds = this.log.boundsOf(followed.at);
    if (followed.position < bounds.start || followed.position > bounds.end) {
      this.followed.delete(name);
      followed.handler.onOutOfRange(new OffsetOutOfRange(followed.at, followed.position, bounds));
      return false;
    }
    const at = followed.position - bounds.start;
    const records = stored.records.slice(at, at + (followed.handler.atOnce ?? recordsPerBatch));
    followed.position += records.length;
    const reached = followed.position >= bounds.end;
    if (records.length === 0 && followed.toldEnd === bounds.end) return false;
    if (reached) followed.toldEnd = bounds.end;
    followed.handler.onRecords(records, bounds.end);
    return !reached;
  }
}
