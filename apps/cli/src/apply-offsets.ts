import { readFileSync } from 'node:fs';
import type { Config } from '#libs/config';
import { groupNames, topicNames } from '#libs/contracts';
import { decodeSourcePosition, encodeSourcePosition } from '#libs/core';
import { CommitRefused, partitionName, type KafkaLog, type LogReader, type PartitionCommit } from '#libs/kafka';
import { registryOf } from '#libs/platform';
import { CodecError, connectSchemaCodec, type PlatformCodecs } from '#libs/schema-codec';
import { CursorRelocation } from '#libs/persistence';
import { connectBrokers } from './broker.js';
import { carryOver, type CarryOverCodecs } from './carry-over.js';
import { plannedPlaces, type CursorMoves, type NewSource } from './cursor-moves.js';
import { withDatabase } from './database.js';
import { parsePlan, partitionsOf, type OffsetsPlan } from './offsets-plan.js';
import { fingerprintBefore } from './open-incarnation.js';
import { rebuildProjection } from './rebuild-projection.js';
import { CommandFailed, type Report } from './report.js';

type IncarnationCodecs = Pick<PlatformCodecs, 'prepare' | 'isFence' | 'isEndOfSpace' | 'delivery' | 'attempt'>;

export interface ApplyRequest {
  /** Deliveries of endpoints that this cluster does not know are left behind. */
  readonly dropUnknown?: boolean;
}

/** Sets a group's positions by a plan of `offsets plan`. The group must have no members. @throws CommandFailed */
export async function applyOffsets(config: Config, file: string, request: ApplyRequest, report: Report): Promise<void> {
  const plan = parsePlan(readFileSync(file, 'utf8'));
  // The projector's positions are in Postgres, with rows that bear places of the old log.
  if (plan.group === 'projector') {
    checkPrefix(plan, config.topicPrefix);
    await rebuildProjection({ moveTo: file });
    return;
  }
  const { platform: codecs } = await connectSchemaCodec(registryOf(config));
  const kafka = connectBrokers(config);
  await withDatabase(config, (database) =>
    applyOffsetsIn({ kafka, codecs, cursors: new CursorRelocation(database) }, config, plan, request, report),
  );
}

export interface ApplyPorts {
  readonly kafka: KafkaLog;
  readonly codecs: CarryOverCodecs;
  readonly cursors: CursorMoves;
}

/** The same over any log, for dispatchers and workers. */
export async function applyOffsetsIn(
  ports: ApplyPorts,
  config: Pick<Config, 'topicPrefix'>,
  plan: OffsetsPlan,
  { dropUnknown = false }: ApplyRequest,
  report: Report,
): Promise<void> {
  const { kafka, codecs } = ports;
  checkPrefix(plan, config.topicPrefix);
  await checkPlaces(kafka, plan, config.topicPrefix);
  if (plan.group === 'worker') await carryOver(kafka, codecs, config, plan, { dropUnknown, now: Date.now }, report);
  else await moveSources(ports, config, plan, report);
}

function checkPrefix(plan: OffsetsPlan, topicPrefix: string): void {
  if (plan.topicPrefix !== topicPrefix)
    throw new CommandFailed(`the plan is for ${plan.topicPrefix}, not for ${topicPrefix}`);
}

/** All of the group's partitions, each at an offset that it holds: half a move would be worse than none. */
async function checkPlaces(kafka: KafkaLog, { group, partitions }: OffsetsPlan, topicPrefix: string): Promise<void> {
  const wanted = (await partitionsOf(kafka, group, topicPrefix)).map(partitionName).sort();
  const planned = partitions.map(partitionName).sort();
  if (wanted.join() !== planned.join()) throw new CommandFailed(`the plan must name each of ${wanted.join(', ')} once`);
  const reader = kafka.reader();
  try {
    const bounds = await reader.bounds(partitions);
    for (const [i, { offset, ...place }] of partitions.entries()) {
      const { start = 0, end = 0 } = bounds[i] ?? {};
      if (offset < start || offset > end)
        throw new CommandFailed(
          `${partitionName(place)} has no offset ${offset}: its log reaches from ${start} to ${end}`,
        );
    }
  } finally {
    await reader.close();
  }
}

/** The dispatchers' positions, each in an incarnation above all that have left a trace, and the cursors beside them. */
async function moveSources(
  { kafka, codecs, cursors }: ApplyPorts,
  { topicPrefix }: Pick<Config, 'topicPrefix'>,
  plan: OffsetsPlan,
  report: Report,
): Promise<void> {
  const groupId = groupNames(topicPrefix).dispatcher;
  const administration = kafka.administration();
  const reader = kafka.reader();
  try {
    const commits = await administration.committed(groupId, plan.partitions);
    const { length: partitions } = await partitionsOf(kafka, 'worker', topicPrefix);
    const seen = await incarnationsIn(reader, codecs, topicPrefix, partitions);
    const bounds = await reader.bounds(plan.partitions);
    const set: PartitionCommit[] = [];
    const sources: NewSource[] = [];
    for (const [i, { topic, partition, offset, above = 0 }] of plan.partitions.entries()) {
      const committed = decodeSourcePosition(commits[i]?.metadata ?? '')?.incarnation ?? 0;
      const incarnation = Math.max(above, committed, seen.get(partition) ?? 0) + 1;
      const place = { topic, partition, bounds: bounds[i] ?? { start: 0, end: 0 } };
      const fingerprint = await fingerprintBefore(kafka, place, offset);
      set.push({ topic, partition, offset, metadata: encodeSourcePosition({ incarnation, fingerprint }) });
      sources.push({ partition, incarnation, bounds: place.bounds });
      report(`${topic}-${partition}: goes on at ${offset} as incarnation ${incarnation}`);
    }
    let moved = 0;
    await cursors.relocate(
      sources.map(({ partition }) => partition),
      (inForce) => {
        moved = inForce.length;
        return plannedPlaces(inForce, plan.cursors ?? [], sources);
      },
      () => administration.setCommits(groupId, set),
    );
    if (moved > 0) report(`${moved} positions of endpoints that do not follow a partition live were moved with them`);
  } catch (error) {
    if (error instanceof CommitRefused) throw new CommandFailed(`${error.message}: stop every dispatcher first`);
    throw error;
  } finally {
    await Promise.all([administration.close(), reader.close()]);
  }
}

/**
 * Highest incarnation of each source partition that deliveries came from: a lower or equal one would repeat their ids. What
 * cannot be read is passed over, since its neighbours tell the same.
 */
async function incarnationsIn(
  reader: LogReader,
  codecs: IncarnationCodecs,
  topicPrefix: string,
  partitions: number,
): Promise<ReadonlyMap<number, number>> {
  const { deliveries, retry, attempts } = topicNames(topicPrefix);
  const highest = new Map<number, number>();
  for (const topic of [deliveries, ...retry.map(({ name }) => name), attempts]) {
    const places = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
    const bounds = await reader.bounds(places);
    for (const [i, place] of places.entries()) {
      for await (const records of reader.range(place, bounds[i]?.start ?? 0, bounds[i]?.end ?? 0)) {
        await codecs.prepare(records.map(({ value }) => value));
        for (const { value } of records) {
          const source = value === null ? null : sourceOf(value, topic === attempts, codecs);
          if (source !== null)
            highest.set(source.partition, Math.max(source.incarnation, highest.get(source.partition) ?? 0));
        }
      }
    }
  }
  return highest;
}

function sourceOf(
  value: Buffer,
  isAttempt: boolean,
  codecs: IncarnationCodecs,
): { readonly partition: number; readonly incarnation: number } | null {
  try {
    if (isAttempt) {
      const [, incarnation, partition] = /\.(\d+)\.(\d+)\.\d+$/.exec(codecs.attempt.decode(value).deliveryId) ?? [];
      return incarnation === undefined ? null : { partition: Number(partition), incarnation: Number(incarnation) };
    }
    if (codecs.isFence(value) || codecs.isEndOfSpace(value)) return null;
    const { sourcePartition, incarnation } = codecs.delivery.decode(value);
    return { partition: sourcePartition, incarnation };
  } catch (error) {
    if (error instanceof CodecError) return null;
    throw error;
  }
}
