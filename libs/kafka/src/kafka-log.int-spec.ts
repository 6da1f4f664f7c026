import { inject } from 'vitest';
import { connectKafka } from './connect.js';
import { describeKafkaLog } from './kafka-log.contract.js';

const prefix = `kafka-log-${process.pid}-${Date.now()}`;
const connection = { brokers: inject('kafkaBrokers').split(','), clientId: 'contract' };

describeKafkaLog('over a broker', () => ({
  connect: ({ small }) => connectKafka(small === true ? { ...connection, maxRecordBytes: 10_000 } : connection),
  prefix,
}));
describeKafkaLog('over a broker, zstd', () => ({
  connect: ({ small }) =>
    connectKafka({ ...connection, compression: 'zstd', ...(small === true ? { maxRecordBytes: 10_000 } : {}) }),
  prefix: `${prefix}-zstd`,
}));
