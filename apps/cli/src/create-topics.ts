import type { Config } from '#libs/config';
import { topicSpecs } from '#libs/contracts';
import type { TopicAdministration } from '#libs/kafka';
import { connectBrokers } from './broker.js';
import { CommandFailed, type Report } from './report.js';

/** The brokers' own default. The sender keeps its batches below it. */
const maxMessageBytes = 1_048_588;
const leastOffsetsRetentionMinutes = 30 * 24 * 60;

/**
 * Creates the topics that are missing and checks the others.
 * @throws CommandFailed with every mismatch that it cannot mend
 */
export async function createTopics(config: Config, report: Report): Promise<void> {
  const administration = connectBrokers(config).administration();
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
