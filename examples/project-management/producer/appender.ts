import { type Kafka, type Message, Partitioners, type Producer } from 'kafkajs';

/**
 * Appends to one topic with a stock kafkajs producer in the way that loses nothing and keeps the order of each key:
 * idempotent, acknowledged by all in-sync replicas, one send at a time, each send to one partition. A producer whose send
 * failed is thrown away (its sequence numbers can no longer be trusted) and a new one repeats the send. The event may
 * then stand in the log twice; Posthorn recognises the repeat by source and id.
 */
export class Appender {
  #producer: Producer | null = null;

  constructor(
    private readonly kafka: Kafka,
    private readonly topic: string,
    private readonly warn: (line: string) => void,
  ) {}

  /**
   * @param messages all of one key, so of one partition
   * @throws the last error when the broker has not acknowledged within `giveUpMs`
   */
  async append(messages: readonly Message[], giveUpMs = 120_000): Promise<void> {
    const deadline = Date.now() + giveUpMs;
    for (;;) {
      try {
        this.#producer ??= await this.#connect();
        await this.#producer.send({ topic: this.topic, acks: -1, messages: [...messages] });
        return;
      } catch (error) {
        await this.close();
        if (Date.now() > deadline) throw error;
        this.warn(`not acknowledged, sending again: ${error instanceof Error ? error.message : String(error)}`);
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    }
  }

  async close(): Promise<void> {
    const producer = this.#producer;
    this.#producer = null;
    try {
      await producer?.disconnect();
    } catch (error) {
      this.warn(`could not disconnect: ${String(error)}`);
    }
  }

  async #connect(): Promise<Producer> {
    const producer = this.kafka.producer({
      idempotent: true,
      allowAutoTopicCreation: false,
      // Murmur2 of the key, as every stock producer does.
      createPartitioner: Partitioners.DefaultPartitioner,
      retry: { retries: Number.MAX_SAFE_INTEGER, maxRetryTime: 2_000 },
    });
    await producer.connect();
    return producer;
  }
}
