import { readFileSync } from 'node:fs';
import { Global, Inject, Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import type { Config } from '#libs/config';
import { groupNames, topicNames, type GroupNames, type TopicNames } from '#libs/contracts';
import { connectKafka, type BrokerTls, type KafkaLog } from '#libs/kafka';
import { HealthController, Metrics, Readiness, type Logger } from '#libs/observability';
import { connectSchemaCodec, type RegistryAddress, type SchemaCodec } from '#libs/schema-codec';
import { CONFIG, KAFKA_LOG, LOGGER, SCHEMA_CODEC, TOPICS } from './tokens.js';

/** Topics and groups of this deployment, with the partition counts that partitioning needs. */
export interface Topics {
  readonly names: TopicNames;
  readonly groups: GroupNames;
  readonly eventPartitions: number;
  readonly deliveryPartitions: number;
}

/** What every app shares: configuration, logger, metrics, readiness, Kafka, the schema codec, topics. */
@Global()
@Module({})
export class PlatformModule implements OnApplicationShutdown {
  constructor(@Inject(LOGGER) private readonly logger: Logger) {}

  static forApp(app: { readonly name: string; readonly config: Config; readonly logger: Logger }): DynamicModule {
    const { config, logger } = app;
    return {
      module: PlatformModule,
      controllers: [HealthController],
      providers: [
        { provide: CONFIG, useValue: config },
        { provide: LOGGER, useValue: logger },
        { provide: Metrics, useValue: new Metrics(app.name) },
        {
          provide: Readiness,
          inject: [KAFKA_LOG],
          useFactory(kafka: KafkaLog): Readiness {
            const readiness = new Readiness();
            readiness.add({ name: 'kafka', check: () => kafka.ping() });
            return readiness;
          },
        },
        { provide: KAFKA_LOG, useFactory: (): KafkaLog => kafkaLog(app.name, config, logger) },
        {
          provide: SCHEMA_CODEC,
          inject: [Readiness],
          async useFactory(readiness: Readiness): Promise<SchemaCodec> {
            const codec = await connectSchemaCodec(registryOf(config));
            readiness.add({ name: 'schema registry', check: () => codec.ping() });
            return codec;
          },
        },
        { provide: TOPICS, useValue: topicsOf(config) },
      ],
      exports: [CONFIG, LOGGER, Metrics, Readiness, KAFKA_LOG, SCHEMA_CODEC, TOPICS],
    };
  }

  onApplicationShutdown(): void {
    this.logger.info('stopped');
    this.logger.flush();
  }
}

export function topicsOf(config: Config): Topics {
  return {
    names: topicNames(config.topicPrefix),
    groups: groupNames(config.topicPrefix),
    eventPartitions: config.eventPartitions,
    deliveryPartitions: config.deliveryPartitions,
  };
}

/** The schema registry of this configuration. */
export function registryOf(config: Config): RegistryAddress {
  const { schemaRegistryUrl: registryUrl, schemaRegistryCa: ca } = config;
  return { registryUrl, ...(ca === '' ? {} : { ca: read(ca) }) };
}

const pemOf = ({ kafkaCa: ca, kafkaCertificate: cert, kafkaKey: key }: Config): BrokerTls => ({
  ...(ca === '' ? {} : { ca: read(ca) }),
  ...(cert === '' ? {} : { cert: read(cert), key: read(key) }),
});

/** That it can be read was looked at with the settings. */
const read = (path: string): string => readFileSync(path, 'utf8');

/** The brokers of this configuration. */
export function kafkaLog(clientId: string, config: Config, logger: Logger): KafkaLog {
  const { kafkaSaslMechanism: mechanism } = config;
  return connectKafka({
    brokers: config.kafkaBrokers,
    clientId: `posthorn-${clientId}`,
    tls: config.kafkaTls && pemOf(config),
    ...(mechanism === 'none'
      ? {}
      : { sasl: { mechanism, username: config.kafkaUsername, password: config.kafkaPassword } }),
    sessionTimeoutMs: config.sessionTimeoutMs,
    log: ({ level, message, details }) => logger[level](details, message),
  });
}
