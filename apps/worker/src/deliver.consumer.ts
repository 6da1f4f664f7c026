import type { MasterKeys } from '#libs/core';
import type {
  GainedPartition,
  GroupMembership,
  KafkaLog,
  LogFeed,
  LogReader,
  RecordSender,
  TopicAdministration,
  TopicPartition,
} from '#libs/kafka';
import { DeliveryWorker, type DeliverOptions, type DeliverPorts } from './deliver.js';

export interface ConsumerOptions extends DeliverOptions {
  readonly groupId: string;
  readonly masterKeys: MasterKeys;
  /** How long a stop waits for POSTs in flight. Default 20,000. */
  readonly drainMs?: number;
}

export interface ConsumerPorts extends Omit<
  DeliverPorts,
  'sender' | 'feed' | 'reader' | 'administration' | 'membership'
> {
  readonly log: DeliverPorts['log'];
  /** The membership cannot go on: the process should end, and another take over. */
  fatal(error: Error): void;
}

/** What a join may wait for, of the second that it grants. */
const beforeJoinMs = 700;

/** The edge: joins the workers' group, and hands what it gives and takes to the delivery worker. */
export class DeliverConsumer {
  readonly #options: ConsumerOptions;
  readonly #ports: ConsumerPorts;
  readonly #feed: LogFeed;
  readonly #reader: LogReader;
  readonly #administration: TopicAdministration;
  readonly #sender: RecordSender;
  readonly #membership: GroupMembership;
  readonly #worker: DeliveryWorker;
  #joined = false;
  #stopping = false;

  constructor(kafka: KafkaLog, options: ConsumerOptions, ports: ConsumerPorts) {
    this.#options = options;
    this.#ports = ports;
    this.#feed = kafka.feed();
    this.#reader = kafka.reader();
    this.#administration = kafka.administration();
    this.#sender = kafka.sender({ name: 'worker' });
    this.#membership = kafka.membership({
      groupId: options.groupId,
      // The retry topics follow their owner through the metadata of its commits: see DESIGN §2.
      topics: [options.topics.deliveries],
      listener: {
        onGained: (partitions) => this.#gained(partitions),
        onLost: (partitions) => this.#lost(partitions),
        beforeJoin: () => this.#worker.settle(beforeJoinMs),
        onFatal: (error) => ports.fatal(error),
      },
    });
    this.#worker = new DeliveryWorker(options, {
      ...ports,
      feed: this.#feed,
      reader: this.#reader,
      administration: this.#administration,
      sender: this.#sender,
      membership: this.#membership,
    });
  }

  /** Resolves when the configuration is read and the first assignment has come. */
  async start(): Promise<void> {
    await this.#worker.start();
    if (this.#stopping) return;
    await this.#membership.join();
    this.#joined = true;
  }

  /** Throws with the reason while it is not ready. */
  check(): void {
    if (!this.#worker.isReady) throw new Error('the endpoints are not read to their end yet');
    if (!this.#joined) throw new Error('no partitions assigned yet');
    if (this.#worker.restoringPartitions > 0) {
      throw new Error(`${this.#worker.restoringPartitions} partitions are being taken over`);
    }
    if (this.#worker.stoppedPartitions > 0) {
      throw new Error(`${this.#worker.stoppedPartitions} partitions stopped with an alarm`);
    }
  }

  /** Takes nothing more, finishes what is in flight, commits, leaves the group. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#worker.drain(this.#options.drainMs ?? 20_000);
    await this.#membership.leave();
    await Promise.all([this.#feed.close(), this.#reader.close(), this.#sender.close(), this.#administration.close()]);
  }

  #gained(partitions: readonly GainedPartition[]): void {
    this.#ports.log.info({ partitions: partitions.map((one) => one.partition) }, 'partitions gained');
    this.#worker.gained(partitions);
  }

  #lost(partitions: readonly TopicPartition[]): void {
    this.#ports.log.info({ partitions: partitions.map((one) => one.partition) }, 'partitions lost');
    this.#worker.lost(partitions);
  }
}
