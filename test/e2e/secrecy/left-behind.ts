import { randomBytes } from 'node:crypto';
import pg from 'pg';
import type { AppProcesses } from '#libs/app-processes';
import { formatSecret, openSecret, parseMasterKeys, portalKeysOf } from '#libs/core';
import { searchFor, type Readable, type Search } from '../../oracle/secrecy-oracle.js';
import { answersOf, metricsOf, refusalsOf } from './answers.js';
import { filesBelow } from './files.js';
import { secretsInUse, useSecret } from './secrets-in-use.js';
import { tablesOf } from './tables.js';
import { topicsOf } from './topics.js';

/** Notes what the apps are started with, and what follows from it. */
export function usePlatformSecrets({ operatorKey, masterKeys, options: { services } }: AppProcesses): void {
  useSecret('operator key', operatorKey);
  useMasterKeys(masterKeys);
  const { password } = new URL(services.databaseUrl);
  if (password.length >= 12) useSecret('password of the database', decodeURIComponent(password));
}

/** @param masterKeys as in POSTHORN_MASTER_KEYS */
export function useMasterKeys(masterKeys: string): void {
  for (const key of masterKeys.split(',')) {
    useSecret('master key', key);
    for (const portalKey of portalKeysOf(parseMasterKeys(key)).values())
      useSecret('key that signs portal tokens', Buffer.from(portalKey).toString('base64'));
  }
}

/**
 * Invariant 8: where the secrets that this test file has used can be read in what its apps leave behind: the answers of
 * the REST API, also those to faults, metrics, the logs of all processes and commands, every record of every topic, every row
 * of every table. Call it before anything is stopped.
 */
export async function leftBehind(apps: AppProcesses): Promise<Search> {
  usePlatformSecrets(apps);
  await useSealedSecrets(apps);
  useSecret('a secret in requests with faults', formatSecret(randomBytes(32)));
  const found = await searchFor(secretsInUse(), placesOf(apps));
  // A search that looked at nothing finds nothing.
  for (const kind of ['log', 'topic', 'table']) {
    const size = [...found.places].reduce((sum, [place, bytes]) => sum + (place.startsWith(`${kind} `) ? bytes : 0), 0);
    if (size === 0) throw new Error(`the search for secrets has seen no ${kind}`);
  }
  return found;
}

/** The logs come last: what is asked of the apps before stands in them. */
async function* placesOf({ running, operatorKey, options }: AppProcesses): AsyncGenerator<Readable> {
  const { services, topicPrefix, logDir } = options;
  const api = [...running].find(({ name }) => name === 'api');
  if (api !== undefined) {
    const access = { url: api.url, key: operatorKey };
    const faulty = [...secretsInUse()].findLast(([name]) => name.startsWith('a secret in requests with faults'))!;
    yield* answersOf(access);
    yield* refusalsOf(access, faulty[1]);
  }
  yield* metricsOf(running);
  yield* topicsOf(services.kafkaBrokers, `${topicPrefix}.`);
  yield* tablesOf(services.databaseUrl);
  yield* filesBelow(logDir, 'log');
}

/** What endpoints sign with, by opening what is sealed: also private keys, which nobody is ever shown. */
async function useSealedSecrets({ options: { services } }: AppProcesses): Promise<void> {
  const keys = [...secretsInUse()].filter(([name]) => name.startsWith('master key')).map(([, key]) => key);
  const client = new pg.Client({ connectionString: services.databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ id: string; endpointId: string; ciphertext: string }>(
      'SELECT id, endpoint_id AS "endpointId", ciphertext FROM endpoint_secrets',
    );
    for (const { id, endpointId, ciphertext } of rows) {
      const opened = keys.flatMap((key) => openedBy(key, ciphertext, endpointId));
      if (opened[0] === undefined) throw new Error(`no master key of this test opens ${id}: useMasterKeys`);
      useSecret(`secret ${id} of ${endpointId}`, opened[0]);
    }
  } finally {
    await client.end();
  }
}

function openedBy(masterKey: string, ciphertext: string, endpointId: string): string[] {
  try {
    return [openSecret(parseMasterKeys(masterKey), ciphertext, endpointId)];
  } catch {
    return [];
  }
}

/** @throws Error that names each place in which a secret stands, and never the secret */
export function refuseSightings({ sightings }: Search): void {
  if (sightings.length === 0) return;
  const lines = sightings.map(({ place, secret, form }) => `  ${place}: ${secret}, as ${form}`);
  throw new Error(`secrets can be read (invariant 8):\n${lines.slice(0, 50).join('\n')}`);
}
