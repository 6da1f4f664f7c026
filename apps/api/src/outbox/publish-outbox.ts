/**
 * Reads: outbox rows in Postgres, oldest first.
 * Writes: posthorn.endpoints, the newest configuration of each key, or a tombstone; posthorn.audit, each entry.
 * Guarantees: every committed change reaches the topic; per key in the order of the changes, over several api processes
 * (one publishes at a time, under a lock that ends only when the brokers have answered).
 * On a crash between append and mark: the newest state is published again, which changes nothing for who reads it.
 * Test: publish-outbox.spec.ts, api.int-spec.ts.
 */
import type { OutgoingRecord, RecordSender } from '#libs/kafka';
import type { ConfigurationChange, Outbox } from '#libs/persistence';
import type { PlatformCodecs } from '#libs/schema-codec';

/** What whoever made a change may wait for. */
export interface Publication {
  /** Resolves when what was committed before is in the topic, or after a short while: it will be. Never rejects. */
  published(): Promise<void>;
}

export interface PublisherOptions {
  readonly topic: string;
  readonly auditTopic: string;
  /** How often changes are looked for that others have left behind. */
  readonly pollMs: number;
  /** The same while another process is publishing. */
  readonly busyMs: number;
  /** Longest wait of `published`. */
  readonly waitMs: number;
  readonly batch: number;
}

export interface PublisherPorts {
  readonly outbox: Pick<Outbox, 'publishPending'>;
  readonly sender: Pick<RecordSender, 'send'>;
  readonly codecs: Pick<
    PlatformCodecs,
    'auditEntry' | 'endpointConfig' | 'tenantConfig' | 'replayConfig' | 'transformationConfig'
  >;
  readonly schedule: (ms: number, run: () => void) => () => void;
  readonly log: { warn(details: object, message: string): void };
}

/** `busy`: another process is publishing, perhaps from before our commit. */
type Round = 'done' | 'busy' | 'failed';

export class OutboxPublisher implements Publication {
  #round: Promise<Round> | null = null;
  #stopped = false;
  #cancelPoll: () => void = () => undefined;
  #failure: Error | null = null;

  constructor(
    private readonly ports: PublisherPorts,
    private readonly options: PublisherOptions,
  ) {}

  start(): void {
    void this.#publish();
  }

  async published(): Promise<void> {
    let late = false;
    let cancel: () => void = () => undefined;
    const timeUp = new Promise<void>((resolve) => {
      cancel = this.ports.schedule(this.options.waitMs, () => {
        late = true;
        resolve();
      });
    });
    const rounds = async (): Promise<void> => {
      // A round that is under way may have looked before the commit: only the next one has surely seen it.
      await this.#round;
      while ((await this.#publish()) === 'busy' && !late) await this.#pause(this.options.busyMs);
    };
    await Promise.race([rounds(), timeUp]);
    cancel();
  }

  /** Throws the reason while changes cannot be published. */
  check(): void {
    if (this.#stopped) throw new Error('the outbox publisher has stopped');
    if (this.#failure) throw this.#failure;
  }

  /** Publishes what is left, if it can, then stops. */
  async stop(): Promise<void> {
    await this.published();
    this.#stopped = true;
    this.#cancelPoll();
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.ports.schedule(ms, resolve));
  }

  /** One round at a time: joins the one that is under way. Never rejects. */
  #publish(): Promise<Round> {
    if (this.#stopped) return Promise.resolve('done');
    this.#round ??= this.#run();
    return this.#round;
  }

  async #run(): Promise<Round> {
    this.#cancelPoll();
    const round = await this.#pending();
    this.#round = null;
    const wait = round === 'busy' ? this.options.busyMs : this.options.pollMs;
    if (!this.#stopped) this.#cancelPoll = this.ports.schedule(wait, () => void this.#publish());
    return round;
  }

  async #pending(): Promise<Round> {
    try {
      for (;;) {
        const result = await this.ports.outbox.publishPending(
          (changes, held) => this.#append(changes, held),
          this.options.batch,
        );
        this.#failure = null;
        if (result.outcome === 'busy') return 'busy';
        if (!result.more) return 'done';
      }
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error));
      this.ports.log.warn({ err: error }, 'configuration changes cannot be published; trying again');
      return 'failed';
    }
  }

  /** `held` ends what the brokers do not answer before another process may take over. */
  async #append(changes: readonly ConfigurationChange[], held: () => boolean): Promise<void> {
    const records = changes.map((change): OutgoingRecord => ({
      topic: change.kind === 'audit' ? this.options.auditTopic : this.options.topic,
      partition: 0,
      key: change.kind === 'audit' ? change.config.tenantId : change.key,
      value: this.#valueOf(change),
    }));
    await this.ports.sender.send(records, { held });
  }

  #valueOf(change: ConfigurationChange): Buffer | null {
    if (change.config === null) return null;
    const { auditEntry, endpointConfig, tenantConfig, replayConfig, transformationConfig } = this.ports.codecs;
    switch (change.kind) {
      case 'endpoint':
        return endpointConfig.encode(change.config);
      case 'tenant':
        return tenantConfig.encode(change.config);
      case 'replay':
        return replayConfig.encode(change.config);
      case 'audit':
        return auditEntry.encode(change.config);
      case 'transformation':
        return transformationConfig.encode(change.config);
    }
  }
}
