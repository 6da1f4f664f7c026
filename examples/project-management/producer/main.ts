/**
 * An example SaaS for project management: what your own upstream service would look like. It appends its events to
 * Kafka as Avro CloudEvents.
 *
 *   node dist/examples/project-management/producer/main.js --tenant acme --events 500 --rate 100
 */
import { parseArgs } from 'node:util';
import { SchemaRegistry } from '@kafkajs/confluent-schema-registry';
import { Kafka, logLevel } from 'kafkajs';
import { upstreamAddresses } from '../addresses.js';
import { seededRandom } from '../random.js';
import { Appender } from './appender.js';
import { produce } from './produce.js';
import { Workspace } from './workspace.js';

const { values: options } = parseArgs({
  options: {
    tenant: { type: 'string', default: 'demo' },
    /** 0: until stopped. */
    events: { type: 'string', default: '500' },
    /** Per second; 0: as fast as the brokers take them. */
    rate: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    /** Distinguishes the ids of this run from those of all others. */
    run: { type: 'string', default: Date.now().toString(36) },
    brokers: { type: 'string' },
    registry: { type: 'string' },
    topic: { type: 'string' },
  },
});

const say = (line: string): boolean => process.stderr.write(`${line}\n`);
const stopping = new AbortController();
const stop = (): void => {
  stopping.abort();
  // A broker that does not answer must not keep us: what it has not acknowledged was not reported as appended.
  setTimeout(() => process.exit(1), 1_000).unref();
};
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stop);
// The demo that started us is gone.
process.on('disconnect', stop);

try {
  const { brokers, registryUrl, topic } = addresses();
  const registry = new SchemaRegistry({ host: registryUrl });
  const appender = new Appender(
    new Kafka({ clientId: 'example-project-management', brokers: [...brokers], logLevel: logLevel.NOTHING }),
    topic,
    say,
  );
  const sent = await produce({
    tenantId: options.tenant,
    source: `/project-management/${options.tenant}`,
    runId: options.run,
    events: Number(options.events),
    rate: Number(options.rate),
    workspace: new Workspace(options.run, seededRandom(Number(options.seed))),
    registry,
    appender,
    stop: stopping.signal,
    onAppended: (events) => process.send?.({ type: 'appended', events }),
  });
  await appender.close();
  if (process.send === undefined) say(`${sent} events appended to ${topic}`);
  else process.send({ type: 'done', count: sent }, () => process.disconnect());
} catch (error) {
  say(`producer: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}

function addresses(): { brokers: readonly string[]; registryUrl: string; topic: string } {
  const { brokers, registry, topic } = options;
  if (brokers !== undefined && registry !== undefined && topic !== undefined)
    return { brokers: brokers.split(','), registryUrl: registry, topic };
  const found = upstreamAddresses();
  return {
    brokers: brokers?.split(',') ?? found.brokers,
    registryUrl: registry ?? found.registryUrl,
    topic: topic ?? found.topic,
  };
}
