import type { TestProject } from 'vitest/node';
import { childEnvironment } from '../../config/src/index.js';
import { startServices, type TestServices } from './services.js';

declare module 'vitest' {
  interface ProvidedContext {
    kafkaBrokers: string;
    schemaRegistryUrl: string;
    databaseUrl: string;
  }
}

// Vitest loads this file once per project, perhaps as separate modules, in one process: what they share hangs on the
// process, so that `--project int --project e2e` starts one runtime.
const SHARED = Symbol.for('posthorn.testing.services');

interface Shared {
  users: number;
  readonly services: Promise<TestServices>;
}

const place: typeof globalThis & { [SHARED]?: Shared } = globalThis;

/** For another global setup of the same run, which comes after this one and ends before it. */
export function servicesInUse(): Promise<TestServices> {
  const { services } = place[SHARED] ?? {};
  if (services === undefined) throw new Error('no services are running');
  return services;
}

/** Vitest's global setup of the tiers that need real services; tests get the addresses by `inject('kafkaBrokers')`. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const shared = (place[SHARED] ??= { users: 0, services: startServices(childEnvironment({})) });
  shared.users += 1;
  const services = await shared.services;
  project.provide('kafkaBrokers', services.kafkaBrokers);
  project.provide('schemaRegistryUrl', services.schemaRegistryUrl);
  project.provide('databaseUrl', services.databaseUrl);
  return async () => {
    shared.users -= 1;
    if (shared.users > 0) return;
    delete place[SHARED];
    await services.stop();
  };
}
