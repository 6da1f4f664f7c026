import type { KeyObject } from 'node:crypto';
import {
  replayPrefix,
  type Delivery,
  type EndpointConfig,
  type EndpointSecret,
  type HaltAction,
} from '#libs/contracts';
import { handshakeHeaders, isTestStream, openSecret, signingKey, testLastsMs, type MasterKeys } from '#libs/core';
import { credentialsOf, type EndpointCredentials } from '#libs/http-delivery';
import type { LogRecord } from '#libs/kafka';
import type { PlatformCodecs } from '#libs/schema-codec';
import { followDecoded, type DecodedFeedPorts } from './decoded-feed.js';
import { laneSettingsOf, unknownLaneSettings, type LaneSettings } from './lane-settings.js';
import { ReplayDirectory } from './replay-directory.js';

/** An endpoint that deliveries can be sent to. */
export interface ReadyEndpoint {
  readonly config: EndpointConfig;
  /** Offset of its record in `endpoints`. */
  readonly version: number;
  readonly origin: string;
  /** Path and query of its URL. */
  readonly path: string;
  readonly credentials: EndpointCredentials;
}

/**
 * - `unread`: made with a configuration that was not read yet
 * - `waiting`: paused, not verified, disabled, about to be disabled, or its configuration cannot be read here: it is not sent to for now; or its replay is paused
 * - `gone`: there is no such endpoint (any more), or its replay is cancelled
 */
export type Lookup =
  { readonly kind: 'ready'; readonly endpoint: ReadyEndpoint } | { readonly kind: 'unread' | 'waiting' | 'gone' };

export interface DirectoryPorts extends DecodedFeedPorts {
  readonly codecs: Pick<PlatformCodecs, 'prepare' | 'isPrepared' | 'endpointConfig' | 'replayConfig'>;
  readonly log: DecodedFeedPorts['log'] & { error(details: object, message: string): void };
  /** Something was read. */
  changed(): void;
}

interface Known {
  readonly endpoint: ReadyEndpoint | null;
  readonly lane: LaneSettings;
  readonly secrets: readonly { readonly key: KeyObject; readonly expiresAt: number | null }[];
}

const unread = { kind: 'unread' } as const;
const waiting = { kind: 'waiting' } as const;
const gone = { kind: 'gone' } as const;

/** Every endpoint's configuration and every replay's, in memory: follows `posthorn.endpoints` from its start. */
export class EndpointDirectory {
  readonly replays: ReplayDirectory;
  readonly #topic: string;
  readonly #masterKeys: MasterKeys;
  readonly #ports: DirectoryPorts;
  readonly #endpoints = new Map<string, Known>();
  /** Endpoints that have asked to be disabled, and when (Unix ms), until a record of theirs says what became of it. */
  readonly #leaving = new Map<string, number>();
  /** Records that cannot be used, until they were told of; those that a later one has replaced by then never are. */
  readonly #unusable = new Map<string, { readonly version: number; readonly err: unknown }>();
  readonly #read = Promise.withResolvers<void>();
  #readTo = 0;
  #isRead = false;
  #stop: () => void = () => undefined;

  constructor(topic: string, masterKeys: MasterKeys, ports: DirectoryPorts) {
    this.#topic = topic;
    this.#masterKeys = masterKeys;
    this.#ports = ports;
    this.replays = new ReplayDirectory(ports);
  }

  /** Resolves when the topic has been read to the end that it had. */
  start(): Promise<void> {
    this.#follow(0);
    return this.#read.promise;
  }

  stop(): void {
    this.#stop();
  }

  get isRead(): boolean {
    return this.#isRead;
  }

  /**
   * What is to become of a delivery now. Its configuration version is an offset of the topic, of its endpoint's record or,
   * if that is later, of its replay's: what is unknown once that was read was deleted, or has ended (DESIGN §4).
   */
  lookup({ endpointId, configVersion, stream }: Pick<Delivery, 'endpointId' | 'configVersion' | 'stream'>): Lookup {
    if (configVersion >= this.#readTo) return unread;
    const known = this.#endpoints.get(endpointId);
    const replay = this.replays.get(stream)?.state;
    if (known === undefined || replay === 'cancelled') return gone;
    const { endpoint } = known;
    // Not even what is sent to paused endpoints too: its URL has not shown that it wants anything.
    if (endpoint?.config.awaitsVerification === true) return waiting;
    // A test asks whether an endpoint would be sent to, whatever its state.
    if (endpoint !== null && isTestStream(stream)) return { kind: 'ready', endpoint };
    return endpoint !== null && this.isSentTo(endpointId) && replay !== 'paused'
      ? { kind: 'ready', endpoint }
      : waiting;
  }

  /** Whether it is active and, where that is asked for, verified, and has not asked for the contrary. */
  isSentTo(endpointId: string): boolean {
    const config = this.configOf(endpointId);
    return config?.state === 'active' && !config.awaitsVerification && !this.#leaving.has(endpointId);
  }

  /**
   * It answered 410 to a POST that began at `askedAt` (Unix ms). What makes it `disabled` reads the Attempt first; until
   * then nothing more is sent to it. Both go by the same rule: who has changed the endpoint since has decided otherwise.
   */
  askedToDisable(endpointId: string, askedAt: number): void {
    const config = this.configOf(endpointId);
    if (config?.state !== 'active' || config.updatedAt >= askedAt) return;
    this.#leaving.set(endpointId, Math.max(askedAt, this.#leaving.get(endpointId) ?? 0));
  }

  laneSettingsOf(endpointId: string): LaneSettings {
    return this.#endpoints.get(endpointId)?.lane ?? unknownLaneSettings;
  }

  /** As it stands, whatever its state; null when it is not known or cannot be used. */
  endpointOf(endpointId: string): ReadyEndpoint | null {
    return this.#endpoints.get(endpointId)?.endpoint ?? null;
  }

  configOf(endpointId: string): EndpointConfig | undefined {
    return this.endpointOf(endpointId)?.config;
  }

  /** What was decided of a delivery that was halted at `haltedAt` (Unix ms); null: nothing yet. */
  resolutionOf(endpointId: string, deliveryId: string, haltedAt: number): HaltAction | null {
    const resolutions = this.configOf(endpointId)?.resolutions ?? [];
    return resolutions.find((one) => one.deliveryId === deliveryId && one.at >= haltedAt)?.action ?? null;
  }

  /** Keys in force at `now` (Unix ms). */
  signingKeysOf(endpointId: string, now: number): KeyObject[] {
    const keys: KeyObject[] = [];
    for (const { key, expiresAt } of this.#endpoints.get(endpointId)?.secrets ?? []) {
      if (expiresAt === null || expiresAt > now) keys.push(key);
    }
    return keys;
  }

  #follow(offset: number): void {
    this.#stop = followDecoded(this.#ports, { topic: this.#topic, partition: 0 }, offset, {
      onRecords: (records, end) => {
        for (const record of records) this.#apply(record);
        const last = records.at(-1);
        this.#readTo = Math.max(this.#readTo, last === undefined ? end : last.offset + 1);
        if (this.#readTo >= end) this.#tellUnusable();
        if (!this.#isRead && this.#readTo >= end) {
          this.#isRead = true;
          this.#read.resolve();
        }
        this.#ports.changed();
      },
      // A compacted topic may begin later than 0: what is gone was replaced by what is there.
      onOutOfRange: (error) => this.#follow(error.bounds.start),
    });
  }

  #apply(record: LogRecord): void {
    const key = record.key?.toString('utf8') ?? '';
    if (key.startsWith(replayPrefix)) this.replays.apply(key, record);
    // `tenant:…` records stand in the same topic.
    if (key === '' || key.includes(':')) return;
    this.#unusable.delete(key);
    if (record.value === null) this.#endpoints.delete(key);
    else this.#endpoints.set(key, this.#known(key, record.offset, record.value));
    const askedAt = this.#leaving.get(key);
    if (askedAt === undefined) return;
    const config = this.configOf(key);
    // A change that was made before, and is read only now, decides nothing.
    if (config?.state !== 'active' || config.updatedAt >= askedAt) this.#leaving.delete(key);
  }

  /** An endpoint whose record cannot be used must not count as deleted: its deliveries wait until someone mends it. */
  #known(endpointId: string, version: number, value: Buffer): Known {
    try {
      const config = naming(this.#ports.codecs.endpointConfig.decode(value));
      const url = new URL(config.url);
      const secrets = config.secrets.map((secret) => this.#opened(endpointId, secret));
      if (secrets.length === 0) throw new RangeError('it has no secret');
      const credentials = credentialsOf(config, this.#masterKeys);
      const endpoint = { config, version, origin: url.origin, path: url.pathname + url.search, credentials };
      return { endpoint, lane: laneSettingsOf(config), secrets };
    } catch (err) {
      this.#unusable.set(endpointId, { version, err });
      return { endpoint: null, lane: unknownLaneSettings, secrets: [] };
    }
  }

  #tellUnusable(): void {
    for (const [endpointId, fault] of this.#unusable) {
      this.#ports.log.error({ endpointId, ...fault }, 'configuration cannot be used: its deliveries wait');
    }
    this.#unusable.clear();
  }

  #opened(endpointId: string, secret: EndpointSecret): Known['secrets'][number] {
    const opened = openSecret(this.#masterKeys, secret.ciphertext, endpointId);
    return { key: signingKey(opened), expiresAt: secret.expiresAt };
  }
}

/**
 * Once its receiver has allowed an origin to send to it, each request names it (CloudEvents webhook, section 4.1.2). It is
 * put among the endpoint's own headers, which are there once and cannot have this name themselves.
 */
function naming(config: EndpointConfig): EndpointConfig {
  const { requestOrigin, headers } = config;
  if (requestOrigin === null) return config;
  return { ...config, headers: { ...headers, [handshakeHeaders.requestOrigin]: requestOrigin } };
}

/** When the policy's total time is over for a delivery, or nobody waits for a test any more, Unix milliseconds; null: never. */
export function expiryOf(
  { scheduledSince, dispatchedAt, stream }: Pick<Delivery, 'scheduledSince' | 'dispatchedAt' | 'stream'>,
  { retry: { maxTotalMs } }: Pick<EndpointConfig, 'retry'>,
): number | null {
  if (isTestStream(stream)) return dispatchedAt + testLastsMs;
  return maxTotalMs === null ? null : (scheduledSince ?? dispatchedAt) + maxTotalMs;
}
