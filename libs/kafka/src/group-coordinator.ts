import { AssignerProtocol } from 'kafkajs';
import { LinkFailure } from './broker-link.js';
import { BrokerRefusal, type Cluster } from './cluster.js';
import { partitionName, type Committed, type PartitionCommit, type TopicPartition } from './ports.js';
import { assignSticky, decodeHeld, encodeHeld, type GroupMember } from './sticky-assignment.js';

const { MemberAssignment, MemberMetadata } = AssignerProtocol;
const protocolName = 'posthorn-sticky';

export interface JoinAnswer {
  readonly errorCode: number;
  readonly generationId: number;
  readonly leaderId: string;
  readonly memberId: string;
  readonly members: readonly { readonly memberId: string; readonly memberMetadata: Buffer }[];
}

/** Who asks: the member, and the generation that it believes in. */
export interface MemberStamp {
  readonly memberId: string;
  readonly generation: number;
}

/**
 * Kafka's group protocol, one request per method. None is repeated here: what a lost answer means is the membership's
 * affair. Methods return Kafka's error code where the caller decides by it, and throw `LinkFailure` without an answer.
 */
export class GroupCoordinator {
  private nodeId: number | null = null;

  constructor(
    private readonly cluster: Cluster,
    private readonly groupId: string,
    private readonly sessionTimeoutMs: number,
    private readonly rebalanceTimeoutMs: number,
  ) {}

  /** Looks for the coordinator again before the next request. */
  forget(): void {
    this.nodeId = null;
  }

  async find(): Promise<number> {
    if (this.nodeId !== null) return this.nodeId;
    const answer = await this.cluster.ask<{ errorCode: number; coordinator: { nodeId: number } }>(
      'GroupCoordinator',
      10,
      {
        groupId: this.groupId,
      },
    );
    if (answer.errorCode !== 0) throw new BrokerRefusal(answer.errorCode, `no coordinator of ${this.groupId}`);
    // Its address is in the metadata.
    await this.cluster.refresh([]);
    this.nodeId = answer.coordinator.nodeId;
    return this.nodeId;
  }

  async join(
    memberId: string,
    topics: readonly string[],
    held: Pick<GroupMember, 'generation' | 'held'>,
  ): Promise<JoinAnswer> {
    const metadata = MemberMetadata.encode({ version: 1, topics: [...topics], userData: encodeHeld(held) });
    return this.call<JoinAnswer>('JoinGroup', 11, {
      sessionTimeout: this.sessionTimeoutMs,
      rebalanceTimeout: this.rebalanceTimeoutMs,
      memberId,
      protocolType: 'consumer',
      groupProtocols: [{ name: protocolName, metadata }],
    });
  }

  /** `assignment` is the leader's; others send none. */
  async sync(
    stamp: MemberStamp,
    assignment: ReadonlyMap<string, readonly TopicPartition[]>,
  ): Promise<{ readonly errorCode: number; readonly assigned: readonly TopicPartition[] }> {
    const groupAssignment = [...assignment].map(([memberId, partitions]) => ({
      memberId,
      memberAssignment: MemberAssignment.encode({
        version: 1,
        assignment: Object.fromEntries(
          byTopic(partitions).map(({ topic, of }) => [topic, of.map((one) => one.partition)]),
        ),
        userData: Buffer.alloc(0),
      }),
    }));
    const args = { memberId: stamp.memberId, generationId: stamp.generation, groupAssignment };
    const answer = await this.call<{ errorCode: number; memberAssignment: Buffer }>(
      'SyncGroup',
      14,
      args,
      this.rebalanceTimeoutMs + 5_000,
    );
    if (answer.errorCode !== 0) return { errorCode: answer.errorCode, assigned: [] };
    const decoded = MemberAssignment.decode(answer.memberAssignment);
    const assigned = Object.entries(decoded?.assignment ?? {}).flatMap(([topic, partitions]) =>
      partitions.map((partition) => ({ topic, partition })),
    );
    return { errorCode: 0, assigned };
  }

  async heartbeat({ memberId, generation }: MemberStamp): Promise<number> {
    const args = { memberId, groupGenerationId: generation };
    return (await this.call<{ errorCode: number }>('Heartbeat', 12, args)).errorCode;
  }

  async leave(memberId: string): Promise<void> {
    await this.call('LeaveGroup', 13, { memberId });
  }

  /**
   * One commit under the given stamp. `mayGo` is asked in the tick in which the request is handed to the connection.
   * @returns the first error code; null if `mayGo` said no.
   */
  async commit(
    { memberId, generation }: MemberStamp,
    commits: readonly PartitionCommit[],
    mayGo: () => boolean,
  ): Promise<number | null> {
    const link = await this.cluster.link(await this.find());
    if (!mayGo()) return null;
    const topics = byTopic(commits).map(({ topic, of }) => ({
      topic,
      partitions: of.map(({ partition, offset, metadata }) => ({
        partition,
        offset: String(offset),
        metadata: metadata ?? '',
      })),
    }));
    const args = { groupId: this.groupId, groupGenerationId: generation, memberId, topics };
    const { responses } = await link.call<{ responses: readonly { partitions: readonly { errorCode: number }[] }[] }>(
      'OffsetCommit',
      8,
      args,
    );
    const codes = responses.flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorCode));
    if (codes.length < commits.length) throw new LinkFailure('the answer to a commit lacks partitions');
    return codes.find((code) => code !== 0) ?? 0;
  }

  async committed(partitions: readonly TopicPartition[]): Promise<ReadonlyMap<string, Committed | null>> {
    const topics = byTopic(partitions).map(({ topic, of }) => ({
      topic,
      partitions: of.map(({ partition }) => ({ partition })),
    }));
    const { errorCode, responses } = await this.call<{
      errorCode: number;
      responses: readonly {
        topic: string;
        partitions: readonly { partition: number; offset: string; metadata: string | null; errorCode: number }[];
      }[];
    }>('OffsetFetch', 9, { topics });
    const found = new Map<string, Committed | null>();
    for (const { topic, partitions: of } of responses) {
      for (const { partition, offset, metadata, errorCode: code } of of) {
        if (code !== 0) throw new BrokerRefusal(code, `no commit of ${topic}-${partition}`);
        found.set(
          partitionName({ topic, partition }),
          Number(offset) < 0 ? null : { offset: Number(offset), metadata: metadata ?? '' },
        );
      }
    }
    if (errorCode !== 0) throw new BrokerRefusal(errorCode, `no commits of ${this.groupId}`);
    // An answer without a partition is not the same as a partition without a commit.
    if (found.size < partitions.length) throw new BrokerRefusal(-1, 'the answer lacks partitions');
    return found;
  }

  private async call<Answer>(name: string, apiKey: number, args: object, timeoutMs?: number): Promise<Answer> {
    return this.cluster.call<Answer>(await this.find(), name, apiKey, { groupId: this.groupId, ...args }, timeoutMs);
  }
}

/** What the leader of the group assigns, by the members' reports and the topics' present partitions. */
export async function planFor(
  cluster: Cluster,
  topics: readonly string[],
  { members }: JoinAnswer,
): Promise<ReadonlyMap<string, readonly TopicPartition[]>> {
  const { topicMetadata } = await cluster.metadata(topics);
  const partitions = topics.flatMap((topic) => {
    const known = topicMetadata.find((one) => one.topic === topic)?.partitionMetadata ?? [];
    if (known.length === 0) throw new BrokerRefusal(3, `no partitions of ${topic}`);
    return known
      .map(({ partitionId }) => ({ topic, partition: partitionId }))
      .toSorted((a, b) => a.partition - b.partition);
  });
  const reports = members.map(({ memberId, memberMetadata }) => ({
    id: memberId,
    ...decodeHeld(MemberMetadata.decode(memberMetadata)?.userData ?? Buffer.alloc(0)),
  }));
  return assignSticky(reports, partitions);
}

function byTopic<One extends TopicPartition>(partitions: readonly One[]): { topic: string; of: readonly One[] }[] {
  return [...Map.groupBy(partitions, ({ topic }) => topic)].map(([topic, of]) => ({ topic, of }));
}
