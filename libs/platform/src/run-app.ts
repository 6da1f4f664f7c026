import 'reflect-metadata';
import type { Socket } from 'node:net';
import { type DynamicModule, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { loadConfig, type Config } from '#libs/config';
import { createLogger, redactedText, type Logger } from '#libs/observability';
import { PlatformModule } from './platform.module.js';

export interface AppDefinition {
  /** As in `posthorn <name>`; also in logs and metrics. */
  readonly name: string;
  readonly modules: readonly (Type | DynamicModule)[];
  /** Where its HTTP server listens; 0 takes a free port. */
  readonly port: (config: Config) => number;
  /** Settings that it cannot do without. */
  readonly required?: readonly (keyof Config)[];
  /** Answers what the router refuses before any hook: a path that cannot be decoded, or with a part that is too long. */
  readonly refuse?: (error: Error, request: FastifyRequest, reply: FastifyReply) => void;
  /** Answers what Node refuses before there is a request: its headers are too long, it is too slow, or no HTTP. */
  readonly refuseUnread?: (error: Error & { readonly code?: string }, socket: Socket) => void;
  /** Sets up the HTTP side (parsers, limits) before it listens. */
  readonly configure?: (app: NestFastifyApplication, config: Config) => void | Promise<void>;
}

export interface RunningApp {
  readonly url: string;
  readonly app: NestFastifyApplication;
  close(): Promise<void>;
}

const always = ['kafkaBrokers', 'schemaRegistryUrl'] as const;

/** Builds and starts an app: `onApplicationBootstrap` of its modules starts the stages, `close` drains them. */
export async function startApp(definition: AppDefinition, config: Config, logger: Logger): Promise<RunningApp> {
  const root: DynamicModule = {
    module: class AppRoot {},
    imports: [PlatformModule.forApp({ name: definition.name, config, logger }), ...definition.modules],
  };
  const adapter = httpAdapter(definition);
  const app = await NestFactory.create<NestFastifyApplication>(root, adapter, {
    logger: nestLogger(logger),
    abortOnError: false,
    bodyParser: false,
  });
  await definition.configure?.(app, config);
  await app.listen(definition.port(config), config.host);
  const url = (await app.getUrl()).replace('[::1]', '127.0.0.1');
  logger.info({ url }, 'listening');
  return { url, app, close: () => app.close() };
}

/** Ids and event types stand in paths: longer than Fastify's 100 characters. */
const longestPathPart = 1_000;

/** How long a request may take to arrive: who sends a byte now and then holds a connection for no longer. */
const arrival = { headersMs: 15_000, wholeMs: 60_000, lookEveryMs: 5_000 };

/** The HTTP side of an app, as it is before anything is set up on it. @param within other times, for tests */
export const httpAdapter = (
  { refuse, refuseUnread }: Pick<AppDefinition, 'refuse' | 'refuseUnread'>,
  within = arrival,
): FastifyAdapter =>
  new FastifyAdapter({
    bodyLimit: 8 * 1024 * 1024,
    // URL and headers together.
    http: { maxHeaderSize: 16_384, headersTimeout: within.headersMs, connectionsCheckingInterval: within.lookEveryMs },
    requestTimeout: within.wholeMs,
    forceCloseConnections: 'idle',
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: longestPathPart },
    ...(refuse === undefined ? {} : { frameworkErrors: refuse }),
    ...(refuseUnread === undefined ? {} : { clientErrorHandler: refuseUnread }),
  });

/**
 * The `main` of an app: reads the configuration, starts, says so (log line, and `{type:'ready', url}` to a parent that
 * spawned it with an IPC channel), drains on SIGTERM or SIGINT. A second signal ends it at once.
 */
export async function runApp(definition: AppDefinition): Promise<void> {
  try {
    const config = loadConfig([...always, ...(definition.required ?? [])]);
    const logger = createLogger({ name: definition.name, level: config.logLevel });
    exitOnBug(logger);
    const running = await startApp(definition, config, logger);
    onStopSignal(logger, () => running.close());
    process.send?.({ type: 'ready', url: running.url });
  } catch (error) {
    reportStartFailure(definition.name, error);
  }
}

/** What keeps a process from starting, in words for the one who started it. */
export function reportStartFailure(name: string, error: unknown): void {
  const known = error instanceof Error && error.name === 'ConfigError';
  const text = error instanceof Error ? (known ? error.message : (error.stack ?? error.message)) : String(error);
  process.stderr.write(`${name} cannot start: ${redactedText(text)}\n`, () => process.exit(1));
}

/** A stop that takes longer, with the brokers away perhaps, ends unclean: what was acknowledged is in the log. */
const stopWithinMs = 30_000;

/** Runs `stop` at the first SIGTERM or SIGINT, then exits; a second signal exits at once, and so does a stop that hangs. */
export function onStopSignal(logger: Logger, stop: () => Promise<void>): void {
  let stopping = false;
  const handle = (signal: NodeJS.Signals): void => {
    if (stopping) process.exit(130);
    stopping = true;
    logger.info({ signal }, 'draining');
    setTimeout(() => {
      logger.error({ stopWithinMs }, 'did not stop in time');
      process.exit(1);
    }, stopWithinMs).unref();
    stop().then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error({ err: error }, 'did not stop cleanly');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', handle);
  process.on('SIGINT', handle);
  // A parent that spawned us with an IPC channel is gone: nobody would ever stop us.
  if (process.send) process.on('disconnect', () => handle('SIGTERM'));
}

/** A bug must not leave a half-alive process: everything that was acknowledged is in the log, so another takes over. */
export function exitOnBug(logger: Logger): void {
  const die = (error: unknown): void => {
    logger.fatal({ err: error }, 'unexpected failure: this process ends, another will take over');
    process.exit(70);
  };
  process.on('uncaughtException', die);
  process.on('unhandledRejection', die);
}

/** Nest's own lines go to debug: what matters is logged by us. */
const nestLogger = (logger: Logger) => ({
  log: (message: unknown) => logger.debug({ nest: true }, String(message)),
  debug: (message: unknown) => logger.debug({ nest: true }, String(message)),
  verbose: (message: unknown) => logger.debug({ nest: true }, String(message)),
  warn: (message: unknown) => logger.warn({ nest: true }, String(message)),
  error: (message: unknown) => logger.error({ nest: true }, String(message)),
  fatal: (message: unknown) => logger.fatal({ nest: true }, String(message)),
});
