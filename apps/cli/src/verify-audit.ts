import type { Config } from '#libs/config';
import { topicNames } from '#libs/contracts';
import type { ChainFault } from '#libs/core';
import { AuditLog, type ChainReport } from '#libs/persistence';
import { connectSchemaCodec } from '#libs/schema-codec';
import { compareWithTopic, type TopicComparison, type TopicFault } from './audit-topic.js';
import { connectBrokers } from './broker.js';
import { withDatabase } from './database.js';
import { CommandFailed, type Report } from './report.js';

export interface VerifyRequest {
  /** This one's entries alone. */
  readonly tenant?: string;
  /** Whether they are compared with the audit topic, too. */
  readonly topic?: boolean;
}

/**
 * Walks the audit log: each tenant's entries, and the platform's own, are a chain of hashes.
 * @throws CommandFailed when something was done to one; every such chain and its first broken entry was said by then
 */
export async function verifyAudit(
  config: Config,
  { tenant, topic = false }: VerifyRequest,
  report: Report,
): Promise<void> {
  await withDatabase(config, async (database) => {
    const log = new AuditLog(database);
    const broken = new Set<string>();
    for (const tenantId of tenant === undefined ? await log.chains() : [tenant]) {
      const found = await log.verify(tenantId);
      report(lineOf(found));
      if (found.fault !== null) broken.add(tenantId);
    }
    if (topic) {
      const { compared, faults } = await readTopic(config, log, tenant);
      report(`the topic: ${compared} entries compared`);
      for (const fault of faults) {
        report(`${nameOf(fault.tenantId)}: BROKEN at entry ${fault.seq}: ${topicWords[fault.kind]}`);
        broken.add(fault.tenantId);
      }
    }
    if (broken.size > 0)
      throw new CommandFailed(`the audit log was tampered with: chains that are broken: ${broken.size}`);
  });
}

async function readTopic(config: Config, log: AuditLog, tenant: string | undefined): Promise<TopicComparison> {
  const { platform } = await connectSchemaCodec({ registryUrl: config.schemaRegistryUrl });
  const reader = connectBrokers(config).reader();
  try {
    return await compareWithTopic({ reader, codecs: platform, log }, topicNames(config.topicPrefix).audit, tenant);
  } finally {
    await reader.close();
  }
}

const nameOf = (tenantId: string): string => (tenantId === '' ? 'the platform' : `tenant ${tenantId}`);

const topicWords = {
  gone: 'it stands in the topic, and is gone from the log',
  different: 'the topic has another one',
} as const satisfies Record<TopicFault['kind'], string>;

function lineOf({ tenantId, entries, fault }: ChainReport): string {
  const whose = nameOf(tenantId);
  return fault === null
    ? `${whose}: ${entries} entries, whole`
    : `${whose}: BROKEN at entry ${fault.seq}: ${wordsOf(fault)}`;
}

function wordsOf({ kind }: ChainFault): string {
  switch (kind) {
    case 'gap':
      return 'it is gone, and later ones are there';
    case 'edited':
      return 'it does not say what it said when it was added';
    case 'unlinked':
      return 'it was not added after the one before it';
    case 'cut-off':
      return 'the log does not end where its head says';
  }
}
