import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '#libs/config';
import { topicNames } from '#libs/contracts';
import { newestSeal, newestVersion, parseMasterKeys, reseal, type MasterKeys } from '#libs/core';
import type { LogReader } from '#libs/kafka';
import { SecretSeals, type ResealPass } from '#libs/persistence';
import { registryOf } from '#libs/platform';
import { connectSchemaCodec, type PlatformCodecs } from '#libs/schema-codec';
import { connectBrokers } from './broker.js';
import { withDatabase } from './database.js';
import { CommandFailed, type Report } from './report.js';
import { publishedSeals, type PublishedSeals } from './published-seals.js';

export interface ReencryptRequest {
  /** Endpoints of one transaction. */
  readonly batch: number;
}

/** So many records may wait to be published: what people change meanwhile stands behind them. */
const mostUnpublished = 500;
const lookAgainMs = 200;

export interface ReencryptPorts {
  readonly seals: Pick<SecretSeals, 'reseal' | 'counts' | 'unpublished'>;
  readonly now: () => number;
  readonly pause: (ms: number) => Promise<unknown>;
}

/**
 * Seals the secret of every endpoint with the newest master key, while everything goes on; says what is left of older ones, and
 * whether they may go. Done again, it goes on where it was, and then has nothing to do.
 * @throws CommandFailed when a secret could not be opened
 */
export async function reencryptSecrets(config: Config, request: ReencryptRequest, report: Report): Promise<void> {
  const masterKeys = parseMasterKeys(config.masterKeys);
  const codec = await connectSchemaCodec(registryOf(config));
  const reader = connectBrokers(config).reader();
  try {
    await withDatabase(config, async (database) => {
      const ports = { seals: new SecretSeals(database), now: Date.now, pause: sleep };
      const failures = await resealAll(ports, masterKeys, request, report);
      await reportLeft(ports.seals, await readTopic(reader, codec.platform, config), masterKeys, report);
      if (failures > 0) throw new CommandFailed(`${failures} secrets could not be opened: they are as they were`);
    });
  } finally {
    await reader.close();
  }
}

const readTopic = (reader: LogReader, codecs: PlatformCodecs, { topicPrefix }: Config): Promise<PublishedSeals> =>
  publishedSeals(reader, codecs, topicNames(topicPrefix).endpoints);

/** @returns how many could not be opened; each is reported */
export async function resealAll(
  { seals, now, pause }: ReencryptPorts,
  masterKeys: MasterKeys,
  { batch }: ReencryptRequest,
  report: Report,
): Promise<number> {
  const seal = newestSeal(masterKeys);
  const anew = (ciphertext: string, endpointId: string) => reseal(masterKeys, ciphertext, endpointId, randomBytes);
  const failed = new Map<string, string>();
  let [secrets, endpoints, busy] = [0, 0, 0];
  let isToldToWait = false;
  do {
    busy = 0;
    let pass: ResealPass | null = null;
    while (pass?.next !== null) {
      while ((await seals.unpublished()) > mostUnpublished) {
        if (!isToldToWait) report('waiting for an api to publish what was done so far');
        isToldToWait = true;
        await pause(lookAgainMs);
      }
      pass = await seals.reseal(anew, { after: pass?.next ?? '', seal, limit: batch, now: now() });
      secrets += pass.secrets;
      endpoints += pass.endpoints;
      busy += pass.busy;
      for (const { endpointId, secretId, reason } of pass.failures) failed.set(`${secretId} of ${endpointId}`, reason);
    }
    if (busy > 0) await pause(lookAgainMs);
  } while (busy > 0);
  for (const [name, reason] of failed) report(`${name}: ${reason}`);
  report(`${secrets} secrets of ${endpoints} endpoints are sealed with master key ${newestVersion(masterKeys)} now`);
  return failed.size;
}

/** What still needs an older master key, in the tables and in the topic, and what to do about it. */
export async function reportLeft(
  seals: Pick<SecretSeals, 'counts' | 'unpublished'>,
  topic: PublishedSeals,
  masterKeys: MasterKeys,
  report: Report,
): Promise<void> {
  const newest = newestSeal(masterKeys).slice(0, -1);
  const unpublished = await seals.unpublished();
  const older = [...(await seals.counts())].filter(([seal]) => seal !== newest);
  const inTables = older.reduce((sum, [, count]) => sum + count, 0);
  const inForce = countOthers(topic.inForce, newest);
  const superseded = countOthers(topic.superseded, newest);
  report(`older master keys are needed by ${inTables} secrets in the tables${inWords(older)},`);
  report(
    `by ${inForce} records of the endpoints topic that are in force, and by ${superseded} that were replaced since`,
  );
  if (inTables > 0) report('keep the older master keys, and run this again');
  else if (inForce > 0 || unpublished > 0) {
    report(`keep the older master keys: ${unpublished} records wait for an api to publish them; run this again then`);
  } else {
    report('the older master keys may be taken out of POSTHORN_MASTER_KEYS, one day after this at the earliest');
    if (superseded > 0) {
      report(
        'records that were replaced go when the brokers compact the topic: destroy the older master keys after that',
      );
    }
  }
}

const countOthers = (counts: ReadonlyMap<string, number>, newest: string): number =>
  [...counts].reduce((sum, [seal, count]) => sum + (seal === newest ? 0 : count), 0);

const inWords = (older: readonly (readonly [string, number])[]): string =>
  older.length === 0 ? '' : ` (${older.map(([seal, count]) => `${seal}: ${count}`).join(', ')})`;
