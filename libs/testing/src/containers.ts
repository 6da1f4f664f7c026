import { setTimeout as sleep } from 'node:timers/promises';
import {
  GenericContainer,
  getContainerRuntimeClient,
  Network,
  Wait,
  type StartedNetwork,
  type StartedTestContainer,
} from 'testcontainers';
import type { Runtime, RuntimeAddresses } from '../../runtime/src/index.js';

/** Whether a container engine (Docker, Podman, …) can be used, found out within 3 s. */
export async function containerEngineAnswers(): Promise<boolean> {
  try {
    const patience = new AbortController();
    const tooLate = sleep(3000, false, { signal: patience.signal, ref: false });
    const answer = getContainerRuntimeClient().then(() => true);
    return await Promise.race([answer, tooLate]).finally(() => {
      tooLate.catch(() => undefined);
      patience.abort();
    });
  } catch {
    // No engine: the embedded runtime is as real.
    return false;
  }
}

/** Starts what `own` does not name in containers; the registry gets its own PostgreSQL there. */
export async function startContainers(own: Partial<RuntimeAddresses>): Promise<Runtime> {
  const network = await new Network().start();
  const started: StartedTestContainer[] = [];
  const keep = (container: StartedTestContainer): StartedTestContainer => {
    started.push(container);
    return container;
  };
  const stop = async (): Promise<void> => {
    await Promise.all(started.map((container) => container.stop()));
    await network.stop();
  };
  try {
    const kafka = async (): Promise<string> => own.kafkaBrokers ?? kafkaAddress(keep(await startKafka()));
    const rest = async (): Promise<Omit<RuntimeAddresses, 'kafkaBrokers'>> => {
      const { schemaRegistryUrl, databaseUrl } = own;
      if (schemaRegistryUrl !== undefined && databaseUrl !== undefined) return { schemaRegistryUrl, databaseUrl };
      const database = keep(await startDatabase(network));
      const url = `postgres://posthorn:posthorn@${database.getHost()}:${database.getMappedPort(5432)}/posthorn`;
      if (schemaRegistryUrl !== undefined) return { schemaRegistryUrl, databaseUrl: url };
      const registry = keep(await startRegistryContainer(network));
      const registryUrl = `http://${registry.getHost()}:${registry.getMappedPort(8080)}/apis/ccompat/v7`;
      return { schemaRegistryUrl: registryUrl, databaseUrl: databaseUrl ?? url };
    };
    const results = await Promise.allSettled([kafka(), rest()]);
    const [brokers, others] = results;
    if (brokers.status === 'rejected') throw brokers.reason;
    if (others.status === 'rejected') throw others.reason;
    return { kafkaBrokers: brokers.value, ...others.value, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function kafkaAddress(container: StartedTestContainer): string {
  return `${container.getHost()}:${container.getMappedPort(9092)}`;
}

/**
 * The broker has to advertise the port that the engine maps, which is known only once the container runs: its start
 * waits for a script that is copied in then.
 */
async function startKafka(): Promise<StartedTestContainer> {
  const script = '/tmp/start-with-address.sh';
  class KafkaContainer extends GenericContainer {
    protected override async containerStarted(container: StartedTestContainer): Promise<void> {
      const content = `#!/bin/sh\nexport KAFKA_ADVERTISED_LISTENERS=CLIENTS://${kafkaAddress(container)}\nexec /etc/kafka/docker/run\n`;
      await container.copyContentToContainer([{ content, target: script, mode: 0o755 }]);
    }
  }
  return new KafkaContainer('apache/kafka:4.3.1')
    .withExposedPorts(9092)
    .withEnvironment({
      KAFKA_NODE_ID: '1',
      KAFKA_PROCESS_ROLES: 'broker,controller',
      KAFKA_CONTROLLER_QUORUM_VOTERS: '1@localhost:9093',
      KAFKA_LISTENERS: 'CLIENTS://0.0.0.0:9092,CONTROLLER://0.0.0.0:9093',
      KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT',
      KAFKA_INTER_BROKER_LISTENER_NAME: 'CLIENTS',
      KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
      KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
      KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1',
      KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '1',
      KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: '1',
      KAFKA_OFFSETS_RETENTION_MINUTES: '129600',
      KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
      KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS: '1000',
    })
    .withCommand(['sh', '-c', `until [ -s ${script} ]; do sleep 0.1; done; exec sh ${script}`])
    .withWaitStrategy(Wait.forLogMessage(/Kafka Server started/))
    .withStartupTimeout(120_000)
    .start();
}

function startDatabase(network: StartedNetwork): Promise<StartedTestContainer> {
  return new GenericContainer('postgres:18')
    .withNetwork(network)
    .withNetworkAliases('postgres')
    .withExposedPorts(5432)
    .withEnvironment({ POSTGRES_USER: 'posthorn', POSTGRES_PASSWORD: 'posthorn', POSTGRES_DB: 'posthorn' })
    .withCopyContentToContainer([
      { content: 'CREATE DATABASE apicurio;\n', target: '/docker-entrypoint-initdb.d/registry.sql' },
    ])
    .withWaitStrategy(Wait.forLogMessage(/ready to accept connections/, 2))
    .withStartupTimeout(120_000)
    .start();
}

function startRegistryContainer(network: StartedNetwork): Promise<StartedTestContainer> {
  return new GenericContainer('apicurio/apicurio-registry:3.0.9')
    .withNetwork(network)
    .withExposedPorts(8080)
    .withEnvironment({
      APICURIO_STORAGE_KIND: 'sql',
      APICURIO_STORAGE_SQL_KIND: 'postgresql',
      APICURIO_DATASOURCE_URL: 'jdbc:postgresql://postgres:5432/apicurio',
      APICURIO_DATASOURCE_USERNAME: 'posthorn',
      APICURIO_DATASOURCE_PASSWORD: 'posthorn',
    })
    .withWaitStrategy(Wait.forHttp('/apis/ccompat/v7/subjects', 8080).forStatusCode(200))
    .withStartupTimeout(180_000)
    .start();
}
