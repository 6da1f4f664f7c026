import { BrokerLink, errorName, LinkFailure, messageOf, type LinkTuning, type OwnRequest } from './broker-link.js';
import { partitionName, type KafkaConnection, type TopicPartition } from './ports.js';

/** What the broker knows of a topic; `error` is Kafka's code (0: fine). */
export interface TopicMetadata {
  readonly topicErrorCode: number;
  readonly topic: string;
  readonly partitionMetadata: readonly {
    readonly partitionErrorCode: number;
    readonly partitionId: number;
    readonly leader: number;
    readonly replicas: readonly number[];
  }[];
}
interface MetadataAnswer {
  readonly brokers: readonly { nodeId: number; host: string; port: number }[];
  readonly controllerId: number;
  readonly topicMetadata: readonly TopicMetadata[];
}
interface Node {
  readonly host: string;
  readonly port: number;
  readonly links: Map<string, Promise<BrokerLink>>;
}

export const defaultTuning: LinkTuning = { requestTimeoutMs: 10_000, connectTimeoutMs: 3_000 };

/**
 * The brokers and who leads what. Metadata is our own affair: kafkajs's cluster throws away all of an answer when one
 * partition has no leader, and then refuses to serve the others.
 *
 * One instance per port (sender, reader, feed, …), so that nobody's request waits behind another's long poll: a broker
 * answers one connection in order.
 */
export class Cluster {
  private readonly nodes = new Map<number, Node>();
  private readonly seeds: Node[];
  private readonly leaders = new Map<string, number>();
  private readonly topics = new Set<string>();
  private refreshing: Promise<void> | null = null;
  private closed = false;

  constructor(
    readonly kafka: KafkaConnection,
    private readonly tuning: LinkTuning = defaultTuning,
  ) {
    this.seeds = kafka.brokers.map((address) => {
      const colon = address.lastIndexOf(':');
      return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)), links: new Map() };
    });
  }

  /** Leader as last known; null: refresh first. */
  leaderOf(partition: TopicPartition): number | null {
    return this.leaders.get(partitionName(partition)) ?? null;
  }

  /** Reads the leaders of these topics and all that were asked for before. Calls at the same time share one request. */
  async refresh(topics: Iterable<string>): Promise<void> {
    let more = false;
    for (const topic of topics) {
      more ||= !this.topics.has(topic);
      this.topics.add(topic);
    }
    if (this.refreshing !== null && !more) return this.refreshing;
    const mine = this.metadata([...this.topics]).then(() => undefined);
    this.refreshing = mine;
    try {
      await mine;
    } finally {
      if (this.refreshing === mine) this.refreshing = null;
    }
  }

  /** Asks any broker; remembers the leaders and the brokers' addresses. */
  async metadata(topics: readonly string[]): Promise<MetadataAnswer> {
    // An empty list would mean all topics.
    const args = { topics: topics.length === 0 ? ['__consumer_offsets'] : topics, allowAutoTopicCreation: false };
    const answer = await this.ask<MetadataAnswer>('Metadata', 3, args);
    this.learnNodes(answer);
    for (const { topic, partitionMetadata } of answer.topicMetadata) {
      for (const { partitionId, leader } of partitionMetadata) {
        const name = partitionName({ topic, partition: partitionId });
        if (leader >= 0) this.leaders.set(name, leader);
        else this.leaders.delete(name);
      }
    }
    return answer;
  }

  /** A request to one broker. `channel` names a connection of its own where one would wait behind another. */
  async call<Answer>(nodeId: number, name: string, apiKey: number, args: object, timeoutMs?: number): Promise<Answer> {
    const link = await this.link(nodeId);
    return link.call<Answer>(name, apiKey, args, timeoutMs);
  }

  async callRaw(nodeId: number, request: OwnRequest, channel = 'main', timeoutMs?: number): Promise<Buffer> {
    const link = await this.link(nodeId, channel);
    return link.callRaw(request, timeoutMs);
  }

  async link(nodeId: number, channel = 'main'): Promise<BrokerLink> {
    const node = this.nodes.get(nodeId);
    if (node === undefined) throw new LinkFailure(`broker ${nodeId} is not known`);
    return this.linkTo(node, channel);
  }

  /** A request that any broker can answer. */
  async ask<Answer>(name: string, apiKey: number, args: object): Promise<Answer> {
    let failure: unknown = new LinkFailure('no broker is known');
    for (const node of [...shuffled([...this.nodes.values()]), ...shuffled(this.seeds)]) {
      try {
        const link = await this.linkTo(node, 'main');
        return await link.call<Answer>(name, apiKey, args);
      } catch (error) {
        failure = error;
        if (this.closed) break;
      }
    }
    throw failure;
  }

  close(): void {
    this.closed = true;
    for (const node of [...this.nodes.values(), ...this.seeds]) cutAll(node);
  }

  log(level: 'debug' | 'info' | 'warn' | 'error', message: string, details: object = {}): void {
    this.kafka.log?.({ level, message, details });
  }

  private async linkTo(node: Node, channel: string): Promise<BrokerLink> {
    if (this.closed) throw new LinkFailure('closed');
    const present = node.links.get(channel);
    if (present !== undefined) {
      const link = await present;
      if (link.usable) return link;
      if (node.links.get(channel) === present) node.links.delete(channel);
      return this.linkTo(node, channel);
    }
    const opening = BrokerLink.open(node, this.kafka, this.tuning);
    node.links.set(channel, opening);
    try {
      const link = await opening;
      if (this.closed) link.cut();
      return link;
    } catch (error) {
      if (node.links.get(channel) === opening) node.links.delete(channel);
      throw error;
    }
  }

  private learnNodes({ brokers }: MetadataAnswer): void {
    for (const { nodeId, host, port } of brokers) {
      const known = this.nodes.get(nodeId);
      if (known?.host === host && known.port === port) continue;
      if (known !== undefined) cutAll(known);
      // The seed's connection serves on, if it is the same address.
      const seed = this.seeds.find((one) => one.host === host && one.port === port);
      this.nodes.set(nodeId, seed ?? { host, port, links: new Map() });
    }
    for (const [nodeId, node] of this.nodes) {
      if (brokers.some((broker) => broker.nodeId === nodeId)) continue;
      cutAll(node);
      this.nodes.delete(nodeId);
    }
  }
}

/** Waits, or ends early when `signal` aborts; never rejects. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done);
  });
}

/** 100 ms doubled with each try up to 2 s (`maxRetryTime` of KAFKAJS.md), ± 20 %. */
export function backoffMs(attempt: number, random: () => number = Math.random): number {
  return Math.min(2_000, 100 * 2 ** Math.min(attempt, 10)) * (0.8 + 0.4 * random());
}

/** An answer that says no. */
export class BrokerRefusal extends Error {
  override readonly name = 'BrokerRefusal';
  constructor(
    readonly code: number,
    what: string,
    detail = '',
  ) {
    super(`${what}: ${errorName(code)}${detail === '' ? '' : ` (${detail})`}`);
  }
}

/** The leader has changed, is being elected, or the topic is not known there (yet): refresh metadata and try again. */
export function isStaleLeader(code: number): boolean {
  return staleLeaderCodes.has(code);
}
// unknown topic, leader not available, not leader, replica not available, storage error, fenced and unknown leader epoch,
// offset not available, unknown topic id
const staleLeaderCodes = new Set([3, 5, 6, 9, 56, 74, 76, 78, 100]);

function cutAll(node: Node): void {
  for (const opening of node.links.values()) {
    opening.then((link) => link.cut()).catch((error: unknown) => void messageOf(error));
  }
  node.links.clear();
}

function shuffled<T>(list: T[]): T[] {
  return list
    .map((item) => ({ item, at: Math.random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item);
}
