import type { Config } from '#libs/config';
import { topicNames, topicSpecs } from '#libs/contracts';
import { CommitRefused, type KafkaLog, type TopicAdministration } from '#libs/kafka';
import { firstPositions, type FirstPositions } from '#libs/platform';
import { connectBrokers } from './broker.js';
import { CommandFailed, type Report } from './report.js';

/** The brokers' own default. The sender keeps its batches below it. */
const maxMessageBytes = 1_048_588;
type TopicsConfig = Pick<
  Config,
  'topicPrefix' | 'eventPartitions' | 'deliveryPartitions' | 'replicationFactor' | 'minInSyncReplicas'
>;

const leastOffsetsRetentionMinutes = 30 * 24 * 60;

/**
 * Creates the topics that are missing, checks the others, and gives the workers their first positions.
 * @throws CommandFailed with every mismatch that it cannot mend
 */
export async function createTopics(config: Config, report: Report): Promise<void> {
  await createTopicsIn(connectBrokers(config), config, report);
}

/** The same over any log. */
export async function createTopicsIn(kafka: KafkaLog, config: TopicsConfig, report: Report): Promise<void> {
  const administration = kafka.administration();
  try {
    const specs = topicSpecs({
      prefix: config.topicPrefix,
      eventPartitions: config.eventPartitions,
      deliveryPartitions: config.deliveryPartitions,
      replicationFactor: config.replicationFactor,
      minInSyncReplicas: config.minInSyncReplicas,
      maxMessageBytes,
    });
    const before = await administration.partitionCounts(specs.map(({ name }) => name));
    const mismatches = await administration.ensure(specs);
    for (const { name, partitions } of specs)
      if (before.get(name) === null) report(`topic ${name}: created with ${partitions} partitions`);
    const present = [...before.values()].filter((count) => count !== null).length;
    if (present > 0) report(`topics: ${present} were there already`);
    await warnOfRetention(administration, report);
    if (mismatches.length > 0)
      throw new CommandFailed(`topics that are not as they must be:\n${mismatches.map((m) => `  ${m}`).join('\n')}`);
  } finally {
    await administration.close();
  }
  await setFirstPositions(kafka, config.topicPrefix, report);
}

async function setFirstPositions(kafka: KafkaLog, topicPrefix: string, report: Report): Promise<void> {
  const { set, unclear } = await firstPositionsOf(kafka, topicPrefix);
  const { deliveries } = topicNames(topicPrefix);
  if (set.length > 0) report(`${deliveries}: first positions for ${set.length} partitions`);
  if (unclear.length === 0) return;
  const lines = unclear.map(
    ({ partition, why }) =>
      `  ${deliveries}-${partition}: ${why}\n    posthorn positions open --partition ${partition} --at earliest|latest|<offset>`,
  );
  throw new CommandFailed(`partitions that workers do not take before you decide:\n${lines.join('\n')}`);
}

async function firstPositionsOf(kafka: KafkaLog, topicPrefix: string): Promise<FirstPositions> {
  try {
    return await firstPositions(kafka, topicPrefix);
  } catch (error) {
    // Workers that were started before their topics had positions.
    if (error instanceof CommitRefused) throw new CommandFailed(`${error.message}: stop every worker first`);
    throw error;
  }
}

/** A stop that lasts longer than this loses the groups' positions (DESIGN §2). */
async function warnOfRetention(administration: TopicAdministration, report: Report): Promise<void> {
  const minutes = Number((await administration.brokerSetting('offsets.retention.minutes')) ?? Number.NaN);
  if (minutes < leastOffsetsRetentionMinutes)
    report(
      `warning: the brokers forget a group's positions after ${Math.floor(minutes / 1_440)} days without members ` +
        `(offsets.retention.minutes=${minutes}): set at least ${leastOffsetsRetentionMinutes}, or a longer stop needs a decision`,
    );
}
