import type { Config } from '#libs/config';
import type { KafkaLog } from '#libs/kafka';
import { createLogger } from '#libs/observability';
import { kafkaLog } from '#libs/platform';

/** The brokers, as the commands speak to them: quiet, since an operator reads along. */
export function connectBrokers(config: Config): KafkaLog {
  return kafkaLog('cli', config, createLogger({ name: 'cli', level: 'silent' }));
}
