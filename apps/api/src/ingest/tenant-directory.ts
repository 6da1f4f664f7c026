/**
 * Reads: posthorn.endpoints, from its start, as it grows (only the keys of tenant records).
 * Writes: nothing.
 * Guarantees: a tenant counts as known only when its record stands in the topic, so the dispatcher can know it too.
 * On a crash: read again from the start. Test: tenant-directory.spec.ts.
 */
import type { LogBounds, LogRecord, TopicPartition } from '#libs/kafka';

/** The part of LogReader and LogFeed that is used. */
export interface ConfigTopic {
  bounds(partitions: readonly TopicPartition[]): Promise<readonly LogBounds[]>;
  follow(
    partition: TopicPartition,
    offset: number,
    handler: { onRecords(records: readonly LogRecord[], end: number): void; onOutOfRange(error: Error): void },
  ): void;
}

export type TenantState = 'known' | 'unknown' | 'not-yet';

const prefix = 'tenant:';

export class TenantDirectory {
  readonly #known = new Set<string>();
  readonly #waiting = new Set<() => void>();
  #position = 0;
  #target = Number.POSITIVE_INFINITY;
  #fault: Error | null = null;

  constructor(
    private readonly topic: string,
    private readonly log: ConfigTopic,
    /** Whether the tenant stands in the database: asked only for one that is not in the topic (yet). */
    private readonly exists: (tenantId: string) => Promise<boolean>,
    private readonly schedule: (ms: number, run: () => void) => () => void,
  ) {}

  /** Begins to read; what is asked before the topic was read waits for it. */
  async start(): Promise<void> {
    const partition = { topic: this.topic, partition: 0 };
    const [bounds] = await this.log.bounds([partition]);
    if (!bounds) throw new Error(`${this.topic} has no bounds`);
    this.#position = bounds.start;
    this.#target = bounds.end;
    this.log.follow(partition, bounds.start, {
      onRecords: (records, end) => this.#read(records, end),
      onOutOfRange: (error) => {
        this.#fault = error;
      },
    });
  }

  /** Throws with the reason until the topic was read to where it ended at the start. */
  check(): void {
    if (this.#fault) throw this.#fault;
    if (this.#position < this.#target) throw new Error(`${this.topic} is not read to its end yet`);
  }

  has(tenantId: string): boolean {
    return this.#known.has(tenantId);
  }

  /**
   * For one that `has` does not know: a tenant that was just created is waited for, for at most `timeoutMs`.
   * `not-yet`: it exists, but its record has not come.
   */
  async find(tenantId: string, timeoutMs: number): Promise<TenantState> {
    if (this.has(tenantId)) return 'known';
    if (!(await this.exists(tenantId))) return 'unknown';
    if (this.has(tenantId)) return 'known';
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#waiting.delete(look);
        cancel();
        resolve();
      };
      const look = (): void => {
        if (this.has(tenantId)) done();
      };
      const cancel = this.schedule(timeoutMs, done);
      this.#waiting.add(look);
    });
    return this.has(tenantId) ? 'known' : 'not-yet';
  }

  #read(records: readonly LogRecord[], end: number): void {
    for (const { key, value, offset } of records) {
      this.#position = offset + 1;
      const text = key?.toString('utf8') ?? '';
      if (!text.startsWith(prefix)) continue;
      if (value === null) this.#known.delete(text.slice(prefix.length));
      else this.#known.add(text.slice(prefix.length));
    }
    // Compaction leaves gaps: an empty answer that tells the end means that there is nothing before it.
    if (records.length === 0) this.#position = Math.max(this.#position, end);
    for (const look of this.#waiting) look();
  }
}
