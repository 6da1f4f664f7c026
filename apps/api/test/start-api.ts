import { randomBytes } from 'node:crypto';
import { Test } from '@nestjs/testing';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { parseConfig, type Config } from '#libs/config';
import { topicSpecs, type TopicSpec } from '#libs/contracts';
import type { Scope } from '#libs/core';
import { InMemoryLog, type KafkaLog } from '#libs/kafka';
import { createLogger } from '#libs/observability';
import { migrate } from '#libs/persistence';
import { httpAdapter, KAFKA_LOG, PlatformModule, SCHEMA_CODEC } from '#libs/platform';
import type { InMemoryRegistry, SchemaCodec } from '#libs/schema-codec';
import { createTestDatabase } from '#libs/testing';
import type { RouteNeeds } from '../src/access/needs.js';
import { ApiModule } from '../src/api.module.js';
import { apiApp } from '../src/index.js';
import { DocumentedAnswers } from './documented-answers.js';
import { testCodec } from './event-codec.js';

const asRole = (databaseUrl: string, role: string): string => {
  const url = new URL(databaseUrl);
  url.searchParams.set('options', `-c role=${role}`);
  return url.href;
};

export const operatorKey = 'test-operator-key-0123456789';

interface Answer {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  // Tests look into answers of any shape.
  readonly body: Record<string, never> & { [name: string]: unknown };
  readonly text: string;
}

export interface TestApi<L = InMemoryLog> {
  readonly log: L;
  readonly config: Config;
  readonly databaseUrl: string;
  readonly app: NestFastifyApplication;
  /** What the router knows: `GET /v1/tenants/:id`. */
  readonly routes: readonly string[];
  /** Which scope each of them names. */
  readonly needs: ReadonlyMap<string, Scope>;
  /** The double; unless a codec was given. */
  readonly registry: InMemoryRegistry;
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  close(): Promise<void>;
}

/**
 * The real ApiModule on Fastify over a real PostgreSQL. Doubled: Kafka (InMemoryLog, with real time for timeouts) and the
 * schema registry. Every answer is held to the OpenAPI document.
 */
export function startApi(settings: Record<string, string> = {}): Promise<TestApi> {
  const log = new InMemoryLog({
    after(ms, task) {
      const timer = setTimeout(task, ms);
      return () => clearTimeout(timer);
    },
  });
  return startApiOn(log, settings, (topics) => {
    for (const topic of topics) log.createTopic(topic.name, topic.partitions, topic.config);
    return Promise.resolve();
  });
}

/** The same over a given log, which `create` gives its topics; and over a real registry, if a codec is given. */
export async function startApiOn<L extends KafkaLog>(
  log: L,
  settings: Record<string, string>,
  create: (topics: readonly TopicSpec[]) => Promise<unknown>,
  given?: SchemaCodec,
): Promise<TestApi<L>> {
  const database = await createTestDatabase();
  await migrate(database.url);
  const config = parseConfig({
    KAFKA_BROKERS: '127.0.0.1:1',
    SCHEMA_REGISTRY_URL: 'http://127.0.0.1:1',
    // With no more rights than the api needs.
    DATABASE_URL: asRole(database.url, 'posthorn_api'),
    POSTHORN_OPERATOR_KEY: operatorKey,
    POSTHORN_MASTER_KEYS: `1:${randomBytes(32).toString('base64')}`,
    POSTHORN_REPLICATION_FACTOR: '1',
    POSTHORN_MIN_INSYNC_REPLICAS: '1',
    ...settings,
  });
  const { topicPrefix: prefix, ...layout } = config;
  await create(topicSpecs({ prefix, ...layout, maxMessageBytes: 1_000_000 }));
  const { codec, registry } = await testCodec();
  // A test that wants to see what is logged says so in its settings.
  const logger = createLogger({ name: 'api', level: settings['POSTHORN_LOG_LEVEL'] ?? 'silent' });
  const module = await Test.createTestingModule({
    imports: [PlatformModule.forApp({ name: 'api', config, logger }), ApiModule],
  })
    .overrideProvider(KAFKA_LOG)
    .useValue(log)
    .overrideProvider(SCHEMA_CODEC)
    .useValue(given ?? codec)
    .compile();
  const app = module.createNestApplication<NestFastifyApplication>(httpAdapter(apiApp), {
    bodyParser: false,
    logger: false,
  });
  const routes: string[] = [];
  const needs = new Map<string, Scope>();
  const server = app.getHttpAdapter().getInstance();
  server.addHook('onRoute', ({ method, url, config: settings }) => {
    const route = `${String(method)} ${url}`;
    routes.push(route);
    const scope = (settings as RouteNeeds | undefined)?.needs;
    if (scope !== undefined) needs.set(route, scope);
  });
  await app.init();
  await server.ready();
  const documented = new DocumentedAnswers();
  return {
    log,
    config,
    databaseUrl: database.url,
    app,
    routes,
    needs,
    registry,
    async call(method, path, body, headers = {}) {
      const given = body === undefined || typeof body === 'string' || Buffer.isBuffer(body);
      const response = await app.inject({
        method: method as 'GET',
        url: path,
        headers: {
          authorization: `Bearer ${operatorKey}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { payload: given ? (body as string) : JSON.stringify(body) }),
      });
      const type = String(response.headers['content-type'] ?? '');
      const json = /json/.test(type) ? (JSON.parse(response.body) as unknown) : undefined;
      documented.check(method, path, { status: response.statusCode, type, body: json ?? response.body });
      return {
        status: response.statusCode,
        headers: response.headers,
        body: (json ?? {}) as Answer['body'],
        text: response.body,
      };
    },
    async close() {
      await app.close();
      await database.drop();
    },
  };
}
