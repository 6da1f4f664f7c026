import { readFileSync } from 'node:fs';
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { loadConfig, type Config } from '#libs/config';
import { groupNames, topicNames } from '#libs/contracts';
import { CommitRefused, partitionName, type KafkaLog, type PartitionCommit } from '#libs/kafka';
import { createLogger } from '#libs/observability';
import { connectDatabase, RebuildStore, RebuildSuperseded } from '#libs/persistence';
import { kafkaLog, registryOf } from '#libs/platform';
import { connectSchemaCodec } from '#libs/schema-codec';
import { rebuild, RebuildFailed } from './rebuild.js';

interface RebuildArguments {
  readonly dropOlder: boolean;
  /** A plan for the projectors, made by `posthorn offsets plan` in the cluster that they move to. */
  readonly plan: string | null;
}

/** `rebuild [--drop-older] [--move-to <plan>]`: what `posthorn projection rebuild` starts. Sets the exit code. */
export async function runRebuild(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { 'drop-older': { type: 'boolean' }, 'move-to': { type: 'string' } },
  });
  try {
    const config = loadConfig(['kafkaBrokers', 'schemaRegistryUrl', 'databaseUrl']);
    await rebuildBy(config, { dropOlder: values['drop-older'] ?? false, plan: values['move-to'] ?? null });
  } catch (error) {
    const known =
      error instanceof RebuildFailed ||
      error instanceof RebuildSuperseded ||
      (error instanceof Error && error.name === 'ConfigError');
    process.stderr.write(
      `${error instanceof Error ? ((known ? null : error.stack) ?? error.message) : String(error)}\n`,
    );
    process.exitCode = 1;
  }
}

const say = (line: string): void => void process.stdout.write(`${line}\n`);

async function rebuildBy(config: Config, { dropOlder, plan }: RebuildArguments): Promise<void> {
  const topics = topicNames(config.topicPrefix);
  const logger = createLogger({ name: 'rebuild', level: 'error' });
  const kafka = kafkaLog('rebuild', config, logger);
  const administration = kafka.administration();
  const reader = kafka.reader();
  const counts = await administration.partitionCounts([topics.attempts, topics.deadLetters]);
  await administration.close();
  const partitions = { attempts: counts.get(topics.attempts) ?? 0, deadLetters: counts.get(topics.deadLetters) ?? 0 };
  if (partitions.attempts === 0 || partitions.deadLetters === 0)
    throw new RebuildFailed(`there are no topics ${topics.attempts} and ${topics.deadLetters}`);
  const moveTo = plan === null ? null : readPlan(plan, config.topicPrefix);
  if (moveTo !== null) await moveGroup(kafka, groupNames(config.topicPrefix).projector, moveTo);
  const codec = await connectSchemaCodec(registryOf(config));
  const database = await connectDatabase(config.databaseUrl, { statementTimeoutMs: 0 });
  try {
    const positions = moveTo && new Map(moveTo.map((one) => [partitionName(one), one.offset]));
    await rebuild(
      { partitions, dropOlder, moveTo: positions },
      {
        topics,
        reader,
        store: new RebuildStore(database),
        codecs: codec.platform,
        report: say,
        logger,
        patient: false,
        unreadable: ({ topic, partition, offset }) =>
          say(`${topic}-${partition}: ${offset} cannot be read: passed over`),
        breathe: () => turn(),
        schedule(ms, task) {
          const timer = setTimeout(task, ms);
          return () => clearTimeout(timer);
        },
        monotonic: () => performance.now(),
        pause: (ms) => pause(ms),
      },
    );
  } finally {
    await Promise.all([database.close(), reader.close()]);
  }
}

/** As `posthorn offsets plan` writes it. */
function readPlan(file: string, topicPrefix: string): readonly PartitionCommit[] {
  const plan = JSON.parse(readFileSync(file, 'utf8')) as {
    group?: string;
    topicPrefix?: string;
    partitions?: readonly { topic: string; partition: number; offset: number }[];
  };
  if (plan.group !== 'projector' || plan.topicPrefix !== topicPrefix || !Array.isArray(plan.partitions))
    throw new RebuildFailed(`${file} is no plan for the projectors of ${topicPrefix}`);
  return plan.partitions.map(({ topic, partition, offset }) => ({ topic, partition, offset }));
}

/** What lag is counted from; refused while projectors are there, who would write rows of places in another log. */
async function moveGroup(kafka: KafkaLog, groupId: string, positions: readonly PartitionCommit[]): Promise<void> {
  const administration = kafka.administration();
  try {
    await administration.setCommits(groupId, positions);
  } catch (error) {
    if (error instanceof CommitRefused) throw new RebuildFailed(`${error.message}: stop every projector first`);
    throw error;
  } finally {
    await administration.close();
  }
}
