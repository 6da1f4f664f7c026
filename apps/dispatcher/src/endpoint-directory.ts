import {
  replayPrefix,
  tenantKey,
  transformationPrefix,
  type EndpointConfig,
  type ReplayConfig,
  type ReplayState,
  type TenantConfig,
  type TransformationConfig,
} from '#libs/contracts';
import {
  contentOf,
  eventPatternFault,
  partitionFor,
  SubscriptionIndex,
  WantedVersions,
  type EventFilter,
} from '#libs/core';
import type { LogFeed, LogReader, LogRecord, TopicPartition } from '#libs/kafka';
import type { DiscriminatedEvent, DispatchEndpoint, Subscribers } from './dispatch-endpoint.js';
import { backoffMs, messageOf, pause, type Surroundings } from './surroundings.js';

/** Decodes records of posthorn.endpoints; `prepare` rejects while the registry is away. */
export interface ConfigCodec {
  prepare(values: Iterable<Buffer | null>): Promise<void>;
  readonly endpointConfig: { decode(bytes: Buffer): EndpointConfig };
  readonly tenantConfig: { decode(bytes: Buffer): TenantConfig };
  readonly replayConfig: { decode(bytes: Buffer): ReplayConfig };
  readonly transformationConfig: { decode(bytes: Buffer): TransformationConfig };
}

/** What the contents of endpoints are made of. */
export interface ContentParts {
  /** Compiles the JSON text of filters; equal texts to the same filter. Throws on what is none. */
  filterOf(text: string): EventFilter;
  /** A transformation's record was read; null: deleted. */
  transformation(transformationId: string, config: TransformationConfig | null): void;
}

/** Told of what was read, in the order of the log. */
export interface DirectoryListener {
  /** The endpoint is known from now on as `get` says; undefined there: it was deleted. */
  endpointChanged(endpointId: string): void;
  /** Null: it has ended, and all of it too. @param version offset of its record */
  replayChanged(replayId: string, config: ReplayConfig | null, version: number): void;
}

export interface DirectoryOptions {
  /** posthorn.endpoints, which has one partition. */
  readonly topic: string;
  readonly deliveryPartitions: number;
}

/** How long is waited for what stands in the topic already. */
const lookAgainMs = 20;

/** Follows posthorn.endpoints from its start, and knows who wants which event, whatever the endpoint's state is. */
export class EndpointDirectory implements Subscribers {
  readonly #at: TopicPartition;
  readonly #options: DirectoryOptions;
  readonly #log: { readonly feed: LogFeed; readonly reader: LogReader };
  readonly #codec: ConfigCodec;
  readonly #contents: ContentParts;
  readonly #around: Surroundings;
  readonly #index = new SubscriptionIndex<DispatchEndpoint>();
  readonly #wanted = new WantedVersions();
  readonly #tenants = new Set<string>();
  readonly #replays = new Map<string, { readonly state: ReplayState; readonly version: number }>();
  readonly #listeners = new Set<DirectoryListener>();
  readonly #read = Promise.withResolvers<void>();
  #readTo = 0;
  #isRead = false;
  #closed = false;
  #applying: Promise<void> = Promise.resolve();

  constructor(
    options: DirectoryOptions,
    log: { readonly feed: LogFeed; readonly reader: LogReader },
    codec: ConfigCodec,
    contents: ContentParts,
    around: Surroundings,
  ) {
    this.#at = { topic: options.topic, partition: 0 };
    this.#options = options;
    this.#log = log;
    this.#codec = codec;
    this.#contents = contents;
    this.#around = around;
  }

  /** Resolves when everything that stood in the topic at the start has been applied. */
  get read(): Promise<void> {
    return this.#read.promise;
  }

  get isRead(): boolean {
    return this.#isRead;
  }

  get endpoints(): number {
    return this.#index.size;
  }

  hasTenant(tenantId: string): boolean {
    return this.#tenants.has(tenantId);
  }

  match(tenantId: string, type: string): readonly DispatchEndpoint[] {
    return this.#index.match(tenantId, type);
  }

  candidates(tenantId: string, event: DiscriminatedEvent): readonly DispatchEndpoint[] {
    const { type } = event.envelope;
    const choices = this.#wanted.of(type);
    let isKnown = true;
    const found = this.#index.candidates(tenantId, type, (path) => {
      const values = event.valuesAt(path, choices);
      isKnown &&= values !== null;
      return values ?? [];
    });
    return isKnown ? found : this.match(tenantId, type);
  }

  get(endpointId: string): DispatchEndpoint | undefined {
    return this.#index.get(endpointId);
  }

  all(): Iterable<DispatchEndpoint> {
    return this.#index.all();
  }

  /** Those that have not ended, with the offsets of their records. */
  replays(): ReadonlyMap<string, { readonly state: ReplayState; readonly version: number }> {
    return this.#replays;
  }

  /** @returns how to stop */
  listen(listener: DirectoryListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Resolves when all that stands in the topic by now is applied, or it is no longer `wanted`. Rejects without brokers. */
  async readToEnd(wanted: () => boolean): Promise<void> {
    const [bounds] = await this.#log.reader.bounds([this.#at]);
    while (wanted() && !this.#closed && this.#readTo < (bounds?.end ?? 0)) await pause(this.#around, lookAgainMs);
  }

  /** Begins to read. Tries again until the brokers answer. */
  async start(): Promise<void> {
    for (let failures = 0; !this.#closed; failures += 1) {
      try {
        const [bounds] = await this.#log.reader.bounds([this.#at]);
        if (this.#closed) return;
        this.#log.feed.follow(this.#at, bounds?.start ?? 0, {
          onRecords: (records, end) => this.#enqueue(records, end),
          // Truncated, or another topic: going on would match events against half a configuration.
          onOutOfRange: (error) => this.#around.die(error),
        });
        return;
      } catch (error) {
        this.#around.log.warn({ topic: this.#at.topic, reason: messageOf(error) }, 'endpoints cannot be read yet');
        await pause(this.#around, backoffMs(failures));
      }
    }
  }

  close(): void {
    this.#closed = true;
    this.#log.feed.unfollow(this.#at);
  }

  #enqueue(records: readonly LogRecord[], end: number): void {
    this.#applying = this.#applying.then(() => this.#applyAll(records, end));
  }

  async #applyAll(records: readonly LogRecord[], end: number): Promise<void> {
    for (let failures = 0; !this.#closed; failures += 1) {
      try {
        await this.#codec.prepare(records.map(({ value }) => value));
        break;
      } catch (error) {
        this.#around.log.warn({ reason: messageOf(error) }, 'schemas of endpoints cannot be loaded yet');
        await pause(this.#around, backoffMs(failures));
      }
    }
    for (const record of records) this.#apply(record);
    const last = records.at(-1);
    this.#readTo = Math.max(this.#readTo, last === undefined ? end : last.offset + 1);
    if (this.#isRead || (last !== undefined && last.offset + 1 < end)) return;
    this.#isRead = true;
    this.#around.log.info({ endpoints: this.#index.size, tenants: this.#tenants.size }, 'endpoints are read');
    this.#read.resolve();
  }

  #apply(record: LogRecord): void {
    const key = record.key?.toString('utf8') ?? '';
    try {
      if (key.startsWith(tenantPrefix)) this.#applyTenant(key.slice(tenantPrefix.length), record.value);
      else if (key.startsWith(replayPrefix)) this.#applyReplay(key, record.value, record.offset);
      else if (key.startsWith(transformationPrefix)) this.#applyTransformation(key, record.value);
      // Keys with another prefix are not endpoints.
      else if (!key.includes(':')) this.#applyEndpoint(key, record.value, record.offset);
    } catch (error) {
      // What was known of it before still holds: better than to stop everybody's events.
      this.#around.log.error({ key, offset: record.offset, reason: messageOf(error) }, 'a configuration is unreadable');
    }
  }

  #applyTenant(tenantId: string, value: Buffer | null): void {
    if (value === null) this.#tenants.delete(tenantId);
    else this.#tenants.add(this.#codec.tenantConfig.decode(value).tenantId);
  }

  #applyEndpoint(endpointId: string, value: Buffer | null, configVersion: number): void {
    const before = this.#index.get(endpointId)?.content;
    if (value === null) this.#index.delete(endpointId);
    else {
      const config = this.#codec.endpointConfig.decode(value);
      const { tenantId, eventTypes, state, ordering, backfill } = config;
      const fault = eventTypes.map(eventPatternFault).find((one) => one !== null);
      if (fault !== undefined) throw new Error(`one of its patterns ${fault}`);
      const partition = partitionFor(endpointId, this.#options.deliveryPartitions);
      const content = contentOf(config, (text) => this.#contents.filterOf(text));
      const known = { endpointId, tenantId, eventTypes, state, ordering, backfill, configVersion };
      const discriminators = content.filter?.discriminators;
      this.#index.set({ ...known, partition, content, discriminators });
      this.#wanted.add(content);
    }
    if (before !== undefined) this.#wanted.remove(before);
    for (const listener of this.#listeners) listener.endpointChanged(endpointId);
  }

  #applyTransformation(key: string, value: Buffer | null): void {
    const config = value === null ? null : this.#codec.transformationConfig.decode(value);
    this.#contents.transformation(key.slice(transformationPrefix.length), config);
  }

  #applyReplay(replayId: string, value: Buffer | null, version: number): void {
    const config = value === null ? null : this.#codec.replayConfig.decode(value);
    if (config === null) this.#replays.delete(replayId);
    else this.#replays.set(replayId, { state: config.state, version });
    for (const listener of this.#listeners) listener.replayChanged(replayId, config, version);
  }
}

const tenantPrefix = tenantKey('');
