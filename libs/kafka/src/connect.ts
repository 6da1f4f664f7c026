import { KafkaAdministration } from './administration.js';
import type { LinkTuning } from './broker-link.js';
import { Cluster, defaultTuning } from './cluster.js';
import { KafkaFeed } from './feed.js';
import { KafkaMembership } from './membership.js';
import type { KafkaConnection, KafkaLog } from './ports.js';
import { KafkaReader } from './reader.js';
import { KafkaSender } from './sender.js';

/** Kafka, over kafkajs's protocol code. Nothing is connected before it is used. */
export function connectKafka(connection: KafkaConnection): KafkaLog {
  return connectTuned(connection);
}

/** The same with time-outs and routes of the network changed: for tests. */
export function connectTuned(connection: KafkaConnection, tuning: Partial<LinkTuning> = {}): KafkaLog {
  const tuned = { ...defaultTuning, ...tuning };
  const cluster = (purpose: string, over: Partial<LinkTuning> = {}) =>
    new Cluster({ ...connection, clientId: `${connection.clientId}-${purpose}` }, { ...tuned, ...over });
  const sessionTimeoutMs = connection.sessionTimeoutMs ?? 10_000;
  return {
    sender: ({ name = 'sender', lingerMs = 0 } = {}) =>
      new KafkaSender(cluster(name), tuned.requestTimeoutMs * 0.8, lingerMs),
    reader: () => new KafkaReader(cluster('reader')),
    feed: () => new KafkaFeed(cluster('feed')),
    // A heartbeat that hangs must fail in time for another one within the session.
    membership: (options) =>
      new KafkaMembership(
        cluster('member', { requestTimeoutMs: Math.min(tuned.requestTimeoutMs, sessionTimeoutMs / 4) }),
        options,
      ),
    administration: () => new KafkaAdministration(cluster('administration')),
    ping: async () => {
      const any = cluster('ping', { requestTimeoutMs: Math.min(tuned.requestTimeoutMs, 3_000) });
      try {
        await any.metadata([]);
      } finally {
        any.close();
      }
    },
  };
}
