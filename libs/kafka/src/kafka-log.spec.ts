import { InMemoryLog } from './in-memory-log.js';
import { describeKafkaLog } from './kafka-log.contract.js';

describeKafkaLog('in memory', () => ({
  connect: ({ small }) => new InMemoryLog(small === true ? { maxRecordBytes: 10_000 } : {}),
  prefix: 'double',
}));
