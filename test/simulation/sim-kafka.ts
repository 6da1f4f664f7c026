import { OffsetOutOfRange, type KafkaLog, type LogReader, type LogRecord, type TopicPartition } from '#libs/kafka';
import { SimFeed } from './sim-feed.js';
import { SimMembership } from './sim-membership.js';
import type { SimProcess } from './sim-process.js';
import { SimSender } from './sim-sender.js';
import { sessionTimeoutMs, type Effect, type World } from './world.js';

/** One process's connection to the brokers. `joined` hears of its membership. */
export function simKafka(world: World, process: SimProcess, joined: (membership: SimMembership) => void): KafkaLog {
  const { broker, scenario } = world;
  const count = (name: Effect): void => world.count(name);
  const lagMs = (): number =>
    scenario.feedLagMs > 0 && process.random.chance(0.1) ? process.random.int(0, scenario.feedLagMs) : 0;
  return {
    sender: () =>
      new SimSender(process, {
        broker,
        ignoresHeld: process.role === 'worker' && world.without.has('lease'),
        mostRecords: scenario.sendRecords,
        acknowledged: (by, records) => world.acknowledged(by, records),
        count,
      }),
    reader: () => readerOf(world, process),
    feed: () => new SimFeed(process, broker, lagMs),
    membership({ listener }) {
      const membership = new SimMembership(
        process,
        {
          broker,
          group: world.groups[process.role],
          sessionTimeoutMs,
          without: { lease: process.role === 'worker' && world.without.has('lease') },
          tenureBegan: (tenure) => {
            world.tenures.push(tenure);
            world.trace.note(`${process.name} gained ${tenure.partition} in generation ${tenure.generation}`);
          },
          committed: (by, commits, before) => world.committed(by, commits, before),
          count,
        },
        listener,
      );
      joined(membership);
      return membership;
    },
    administration() {
      const inner = broker.log.administration();
      return new Proxy(inner, {
        get: (target, name: keyof typeof inner) =>
          name === 'close'
            ? () => Promise.resolve()
            : (...args: readonly unknown[]) =>
                process.ask(broker, () =>
                  (target[name] as (...given: readonly unknown[]) => Promise<unknown>)(...args),
                ),
      });
    },
    ping: () => process.ask(broker, () => undefined),
  };
}

const batchRecords = 100;

function readerOf({ broker }: World, process: SimProcess): LogReader {
  const { log } = broker;
  return {
    bounds: (partitions) => process.ask(broker, () => partitions.map((one) => log.boundsOf(one))),
    offsetsAt: (partitions, timestamp) => process.ask(broker, () => log.reader().offsetsAt(partitions, timestamp)),
    async *range(at: TopicPartition, from: number, to: number): AsyncIterable<readonly LogRecord[]> {
      for (let position = from; position < to;) {
        const records = await process.ask(broker, () => {
          const bounds = log.boundsOf(at);
          if (position < bounds.start || position > bounds.end) throw new OffsetOutOfRange(at, position, bounds);
          const first = position - bounds.start;
          return log.stored(at)?.records.slice(first, first + Math.min(batchRecords, to - position)) ?? [];
        });
        position += records.length;
        // Beyond the end it waits for more, as a fetch does.
        if (records.length === 0) await new Promise<void>((resolve) => void process.schedule(50, resolve));
        else yield records;
      }
    },
    close: () => Promise.resolve(),
  };
}
