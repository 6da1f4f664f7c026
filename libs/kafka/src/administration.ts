import { BrokerRefusal, pause, type Cluster, type TopicMetadata } from './cluster.js';
import { GroupCoordinator } from './group-coordinator.js';
import { patiently } from './log-bounds.js';
import { messageOf } from './broker-link.js';
import {
  CommitRefused,
  partitionName,
  type Committed,
  type PartitionCommit,
  type RecordPosition,
  type TopicAdministration,
  type TopicPartition,
  type TopicSettings,
} from './ports.js';

const patienceMs = 60_000;
const leadersWithinMs = 60_000;
const topicResource = 2;
const brokerResource = 4;
const topicExists = 36;
const offsetOutOfRange = 1;
// illegal generation, unknown member, rebalance in progress: what a group with members says to who is none of them.
const hasMembersCodes = new Set([22, 25, 27]);
/** Of somebody who is in no group. */
const noMember = { memberId: '', generation: -1 };

interface ConfigAnswer {
  readonly resources: readonly {
    readonly errorCode: number;
    readonly resourceName: string;
    readonly configEntries: readonly { configName: string; configValue: string | null }[];
  }[];
}

export class KafkaAdministration implements TopicAdministration {
  constructor(private readonly cluster: Cluster) {}

  async ensure(topics: readonly TopicSettings[]): Promise<readonly string[]> {
    const names = topics.map(({ name }) => name);
    const present = await this.topics(names);
    const missing = topics.filter(({ name }) => !present.has(name));
    if (missing.length > 0) await this.patiently('creating topics', () => this.create(missing));
    // kafkajs's waitForLeaders rejects while brokers still learn of the topic.
    const ready = await this.untilLed(topics);
    const config = await this.patiently('settings of topics', () => this.settings(topicResource, names));
    return topics.flatMap((wanted) => mismatches(wanted, ready.get(wanted.name), config.get(wanted.name) ?? new Map()));
  }

  async partitionCounts(topics: readonly string[]): Promise<ReadonlyMap<string, number | null>> {
    const present = await this.topics(topics);
    return new Map(topics.map((topic) => [topic, present.get(topic)?.partitionMetadata.length ?? null]));
  }

  async deleteRecordsBefore(positions: readonly RecordPosition[]): Promise<void> {
    if (positions.length === 0) return;
    await this.patiently('deleting records', () => this.deleteRecords(positions));
  }

  async brokerSetting(name: string): Promise<string | null> {
    return this.patiently('a setting of the brokers', async () => {
      const { brokers } = await this.cluster.metadata([]);
      const nodeId = brokers[0]?.nodeId;
      if (nodeId === undefined) throw new BrokerRefusal(5, 'no broker is known');
      const args = { resources: [{ type: brokerResource, name: String(nodeId), configNames: [name] }] };
      const { resources } = await this.cluster.call<ConfigAnswer>(nodeId, 'DescribeConfigs', 32, args);
      return resources[0]?.configEntries.find(({ configName }) => configName === name)?.configValue ?? null;
    });
  }

  async committed(groupId: string, partitions: readonly TopicPartition[]): Promise<readonly (Committed | null)[]> {
    if (partitions.length === 0) return [];
    const found = await this.patiently(`commits of ${groupId}`, () => this.coordinator(groupId).committed(partitions));
    return partitions.map((one) => found.get(partitionName(one)) ?? null);
  }

  async setCommits(groupId: string, commits: readonly PartitionCommit[]): Promise<void> {
    if (commits.length === 0) return;
    await this.patiently(`positions of ${groupId}`, async () => {
      const code = (await this.coordinator(groupId).commit(noMember, commits, () => true)) ?? 0;
      if (hasMembersCodes.has(code))
        throw new CommitRefused('not-owner', `the group ${groupId} has members, and they alone set its positions`);
      if (code !== 0) throw new BrokerRefusal(code, `positions of ${groupId}`);
    });
  }

  close(): Promise<void> {
    this.cluster.close();
    return Promise.resolve();
  }

  /** Found anew for each try. Joins nothing, so the time-outs of members don't matter. */
  private coordinator(groupId: string): GroupCoordinator {
    return new GroupCoordinator(this.cluster, groupId, 0, 0);
  }

  private async topics(names: readonly string[]): Promise<Map<string, TopicMetadata>> {
    if (names.length === 0) return new Map();
    const { topicMetadata } = await this.patiently('metadata', () => this.cluster.metadata(names));
    return new Map(
      topicMetadata.filter(({ partitionMetadata }) => partitionMetadata.length > 0).map((one) => [one.topic, one]),
    );
  }

  private async create(missing: readonly TopicSettings[]): Promise<void> {
    const topics = missing.map(({ name, partitions, replicationFactor, config }) => ({
      topic: name,
      numPartitions: partitions,
      replicationFactor,
      configEntries: Object.entries(config).map(([key, value]) => ({ name: key, value })),
    }));
    const { controllerId } = await this.cluster.metadata([]);
    const { topicErrors } = await this.cluster.call<{
      topicErrors: readonly { topic: string; errorCode: number; errorMessage: string | null }[];
    }>(controllerId, 'CreateTopics', 19, { topics, validateOnly: false, timeout: 10_000 });
    for (const { topic, errorCode, errorMessage } of topicErrors) {
      // Another process was faster; its settings are checked next.
      if (errorCode !== 0 && errorCode !== topicExists)
        throw new BrokerRefusal(errorCode, `topic ${topic}`, errorMessage ?? '');
    }
  }

  private async untilLed(topics: readonly TopicSettings[]): Promise<Map<string, TopicMetadata>> {
    const deadline = performance.now() + leadersWithinMs;
    for (;;) {
      const present = await this.topics(topics.map(({ name }) => name));
      const waiting = topics.filter(({ name }) => {
        const partitions = present.get(name)?.partitionMetadata ?? [];
        return partitions.length === 0 || partitions.some(({ leader }) => leader < 0);
      });
      if (waiting.length === 0) return present;
      if (performance.now() > deadline)
        throw new BrokerRefusal(5, `no leaders of ${waiting.map(({ name }) => name).join(', ')}`);
      await pause(100);
    }
  }

  private async settings(type: number, names: readonly string[]): Promise<Map<string, Map<string, string | null>>> {
    const resources = names.map((name) => ({ type, name, configNames: [] }));
    const answer = await this.cluster.ask<ConfigAnswer>('DescribeConfigs', 32, { resources });
    return new Map(
      answer.resources.map(({ errorCode, resourceName, configEntries }) => {
        if (errorCode !== 0) throw new BrokerRefusal(errorCode, `settings of ${resourceName}`);
        return [resourceName, new Map(configEntries.map(({ configName, configValue }) => [configName, configValue]))];
      }),
    );
  }

  private async deleteRecords(positions: readonly RecordPosition[]): Promise<void> {
    if (positions.some((one) => this.cluster.leaderOf(one) === null))
      await this.cluster.refresh(new Set(positions.map(({ topic }) => topic)));
    for (const [leader, of] of Map.groupBy(positions, (one) => this.cluster.leaderOf(one))) {
      if (leader === null) throw new BrokerRefusal(5, `no leader for ${of.map(partitionName).join(', ')}`);
      const topics = [...Map.groupBy(of, ({ topic }) => topic)].map(([topic, those]) => ({
        topic,
        partitions: those.map(({ partition, offset }) => ({ partition, offset: String(offset) })),
      }));
      const answer = await this.cluster.call<{
        topics: readonly { topic: string; partitions: readonly { partition: number; errorCode: number }[] }[];
      }>(leader, 'DeleteRecords', 21, { topics, timeout: 10_000 });
      for (const { topic, partitions } of answer.topics) {
        for (const { partition, errorCode } of partitions) {
          if (errorCode === offsetOutOfRange)
            throw new RangeError(`${topic}-${partition} has no such offset to delete before`);
          if (errorCode !== 0) throw new BrokerRefusal(errorCode, `records of ${topic}-${partition}`);
        }
      }
    }
  }

  private async patiently<Result>(what: string, work: () => Promise<Result>): Promise<Result> {
    try {
      return await patiently(this.cluster, what, work, patienceMs);
    } catch (error) {
      this.cluster.log('error', `${what} failed`, { reason: messageOf(error) });
      throw error;
    }
  }
}

function mismatches(
  { name, partitions, replicationFactor, config }: TopicSettings,
  found: TopicMetadata | undefined,
  settings: ReadonlyMap<string, string | null>,
): string[] {
  const lines: string[] = [];
  const count = found?.partitionMetadata.length ?? 0;
  if (count !== partitions) lines.push(`${name} has ${count} partitions, wanted ${partitions}`);
  const replicas = Math.min(...(found?.partitionMetadata ?? []).map((one) => one.replicas.length));
  if (replicas !== replicationFactor) lines.push(`${name} has ${replicas} replicas, wanted ${replicationFactor}`);
  for (const [key, value] of Object.entries(config)) {
    const is = settings.get(key) ?? null;
    if (is !== value) lines.push(`${name} has ${key}=${is ?? '(not set)'}, wanted ${value}`);
  }
  return lines;
}
