// Real: the codec. Doubled: Kafka (InMemoryLog), the history in Postgres, the clock.
import { beforeEach, expect, it } from 'vitest';
import { type EndpointConfig } from '#libs/contracts';
import {} from '#libs/core';
import { InMemoryLog } from '#libs/kafka';
import type { PublishedVersion } from '#libs/persistence';
import type { SchemaCodec } from '#libs/schema-codec';
import { anEndpointConfig } from '#libs/testing';
import { testCodec } from '../../test/event-codec.js';
import { PublishedVersions } from './published-versions.js';

const topic = 'endpoints';
let log: InMemoryLog;
let codec: SchemaCodec;
let noted: PublishedVersion[];
let calls: number;
let warnings: string[];
let timers: (() => void)[];
let failing: boolean;
let versions: PublishedVersions;

beforeEach(async () => {
  log = new InMemoryLog();
  log.createTopic(topic, 1);
  ({ codec } = await testCodec());
  [noted, warnings, timers, calls, failing] = [[], [], [], 0, false];
  versions = new PublishedVersions(
    {
      feed: log.feed(),
      codecs: codec.platform,
      history: {
        notePublished(records) {
          calls += 1;
          if (failing) return Promise.reject(new Error('no database'));
          noted.push(...records);
          return Promise.resolve();
        },
      },
      schedule(_ms, run) {
        timers.push(run);
        return () => undefined;
      },
      log: { warn: (_details, message) => void warnings.push(message) },
    },
    topic,
  );
});

const config = (endpointId: string, revision: number): EndpointConfig =>
  anEndpointConfig({ endpointId, revision, updatedAt: 1 });
const append = (key: string, value: Buffer | null) => log.sender().send([{ topic, partition: 0, key, value }]);
const publish = (endpointId: string, revision: number) =>
  append(endpointId, codec.platform.endpointConfig.encode(config(endpointId, revision)));
const turns = async (): Promise<void> => {
  for (let i = 0; i < 100; i += 1) await Promise.resolve();
};
const seen = () => noted.map(({ endpointId, offset, revision }) => [endpointId, offset, revision]);

it('notes the revision of every record of an endpoint, those from before too, and passes over others', async () => {
  await publish('ep_1', 1);
  await append('tenant:acme', codec.platform.tenantConfig.encode({ tenantId: 'acme', name: 'Acme', updatedAt: 1 }));
  versions.onApplicationBootstrap();
  await turns();
  await publish('ep_2', 1);
  await append('replay:r1', Buffer.from('something else'));
  await publish('ep_1', 3);
  await append('ep_2', null);
  await turns();
  expect(seen()).toEqual([
    ['ep_1', 0, 1],
    ['ep_2', 2, 1],
    ['ep_1', 4, 3],
    ['ep_2', 5, null],
  ]);
  expect(warnings).toEqual([]);
});

it('begins where the log begins', async () => {
  await publish('ep_1', 1);
  await publish('ep_1', 2);
  await log.administration().deleteRecordsBefore([{ topic, partition: 0, offset: 1 }]);
  versions.onApplicationBootstrap();
  await turns();
  expect(seen()).toEqual([['ep_1', 1, 2]]);
});

it('waits for a database that is away, and leaves nothing out', async () => {
  failing = true;
  versions.onApplicationBootstrap();
  await publish('ep_1', 1);
  await turns();
  await publish('ep_1', 2);
  await turns();
  expect([calls, timers.length, noted]).toEqual([1, 1, []]);
  failing = false;
  timers[0]?.();
  await turns();
  expect(seen()).toEqual([
    ['ep_1', 0, 1],
    ['ep_1', 1, 2],
  ]);
});

it('passes over what cannot be read, and says so', async () => {
  await append('ep_1', Buffer.from('{}'));
  await publish('ep_1', 2);
  versions.onApplicationBootstrap();
  await turns();
  expect(seen()).toEqual([['ep_1', 1, 2]]);
  expect(warnings).toHaveLength(1);
});

it('stops, also while the database is away', async () => {
  failing = true;
  versions.onApplicationBootstrap();
  await publish('ep_1', 1);
  await turns();
  await versions.beforeApplicationShutdown();
  timers[0]?.();
  await publish('ep_1', 2);
  await turns();
  expect(calls).toBe(1);
});
