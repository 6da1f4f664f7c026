/**
 * Reads: posthorn.endpoints, from its start, as it grows.
 * Writes: which revision of an endpoint each of its offsets holds (`EndpointHistory.notePublished`).
 * Guarantees: an offset is known once it was read while its record was there; what is known is never wrong, since the
 * record itself tells its revision - also after the outbox repeated or merged changes.
 * On a crash: read again from the start; what is known already stays. Test: published-versions.spec.ts.
 */
import type { BeforeApplicationShutdown, OnApplicationBootstrap } from '@nestjs/common';
import type { LogFeed, LogRecord } from '#libs/kafka';
import type { EndpointHistory, PublishedVersion } from '#libs/persistence';
import type { PlatformCodecs } from '#libs/schema-codec';

export interface PublishedVersionPorts {
  readonly feed: LogFeed;
  readonly codecs: Pick<PlatformCodecs, 'prepare' | 'endpointConfig'>;
  readonly history: Pick<EndpointHistory, 'notePublished'>;
  readonly schedule: (ms: number, run: () => void) => () => void;
  readonly log: { warn(details: object, message: string): void };
}

const retryMs = 1_000;
/** Rows of one statement. */
const atOnce = 1_000;

export class PublishedVersions implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #partition: { readonly topic: string; readonly partition: number };
  #stopped = false;

  constructor(
    private readonly ports: PublishedVersionPorts,
    topic: string,
  ) {
    this.#partition = { topic, partition: 0 };
  }

  onApplicationBootstrap(): void {
    this.#follow(0);
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.#stopped = true;
    await this.ports.feed.close();
  }

  #follow(offset: number): void {
    this.ports.feed.follow(this.#partition, offset, {
      onRecords: (records) => {
        if (records.length === 0) return;
        // One batch at a time, so that a database that is away fills the log, not the memory.
        this.ports.feed.pause(this.#partition);
        void this.#store(records);
      },
      // A compacted topic may begin later than 0: what is gone was replaced by what is there.
      onOutOfRange: (error) => this.#follow(error.bounds.start),
    });
  }

  /** Never rejects: tries until it stands in the database. */
  async #store(records: readonly LogRecord[]): Promise<void> {
    const { codecs, history, log, feed } = this.ports;
    while (!this.#stopped) {
      try {
        await codecs.prepare(records.map(({ value }) => value));
        const versions = records.flatMap((record) => this.#versionOf(record));
        for (let i = 0; i < versions.length; i += atOnce) await history.notePublished(versions.slice(i, i + atOnce));
        if (!this.#stopped) feed.resume(this.#partition);
        return;
      } catch (error) {
        log.warn({ err: error }, 'which configurations were published cannot be noted yet; trying again');
      }
      await new Promise<void>((resolve) => void this.ports.schedule(retryMs, resolve));
    }
  }

  #versionOf({ key, value, offset, timestamp: appendedAt }: LogRecord): PublishedVersion[] {
    const endpointId = key?.toString('utf8') ?? '';
    // `tenant:…` and `replay:…` records stand in the same topic.
    if (endpointId === '' || endpointId.includes(':')) return [];
    if (value === null) return [{ endpointId, offset, appendedAt, revision: null }];
    try {
      const { revision } = this.ports.codecs.endpointConfig.decode(value);
      return [{ endpointId, offset, appendedAt, revision }];
    } catch (error) {
      // Of no use to workers either; they say so too.
      this.ports.log.warn({ err: error, endpointId, offset }, 'a record of the endpoints topic cannot be read');
      return [];
    }
  }
}
