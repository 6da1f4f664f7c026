import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { servicesInUse } from '../../../libs/testing/src/global-setup.js';
import { searchFor } from '../../oracle/secrecy-oracle.js';
import { leftByServices, secretsOfTier } from './left-by-services.js';

// As the services: once for all projects of a run, whoever loads this file.
const SHARED = Symbol.for('posthorn.testing.secrets');
const place: typeof globalThis & { [SHARED]?: { users: number; readonly folder: string } } = globalThis;

/**
 * Vitest's global setup of the tiers whose files write down the secrets that they use. When the last one has ended, and before
 * broker, registry and database do: looks for all of them in what those have on disk. A finding fails the run.
 */
export default function setup(project: TestProject): () => Promise<void> {
  const shared = (place[SHARED] ??= { users: 0, folder: mkdtempSync(join(tmpdir(), 'posthorn-secrets-')) });
  shared.users += 1;
  const file = join(shared.folder, 'secrets.jsonl');
  project.provide('secretsFile', file);
  return async () => {
    shared.users -= 1;
    if (shared.users > 0) return;
    delete place[SHARED];
    try {
      await search(secretsOfTier(file));
    } catch (error) {
      // Vitest writes down what a teardown throws, and ends with 0 all the same.
      process.exitCode = 1;
      throw error;
    } finally {
      rmSync(shared.folder, { recursive: true, force: true });
    }
  };
}

async function search(secrets: ReadonlyMap<string, string>): Promise<void> {
  const { folder, databaseUrl } = await servicesInUse();
  // Services of the user's are not ours to search; in containers, each file has seen its topics and tables.
  if (folder === null || secrets.size === 0) return;
  const begun = performance.now();
  const { sightings, places } = await searchFor(secrets, leftByServices(folder, databaseUrl));
  const bytes = [...places.values()].reduce((sum, size) => sum + size, 0);
  const seconds = ((performance.now() - begun) / 1_000).toFixed(1);
  console.log(
    `\nSecrecy: ${secrets.size} secrets looked for in ${places.size} files and tables of the services, ` +
      `${Math.round(bytes / 1e6)} MB, in ${seconds} s: ${sightings.length} found`,
  );
  if (sightings.length === 0) return;
  const lines = sightings.map(({ place: where, secret, form }) => `  ${where}: ${secret}, as ${form}`);
  throw new Error(`secrets can be read (invariant 8):\n${lines.slice(0, 50).join('\n')}`);
}
