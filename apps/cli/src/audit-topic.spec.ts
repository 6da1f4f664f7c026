// Real: the codec, the comparison. Doubled: the log of Kafka (in memory), the registry, the table.
import { beforeEach, expect, it } from 'vitest';
import type { AuditEntry } from '#libs/contracts';
import { InMemoryLog } from '#libs/kafka';
import { InMemoryRegistry, openSchemaCodec, platformSchemas, type SchemaCodec } from '#libs/schema-codec';
import { compareWithTopic } from './audit-topic.js';

let log: InMemoryLog;
let codec: SchemaCodec;
/** What the table has, by tenant and number. */
let table: Map<string, Buffer>;

beforeEach(async () => {
  log = new InMemoryLog();
  log.createTopic('audit', 1);
  const registry = new InMemoryRegistry();
  for (const [subject, schema] of Object.entries(platformSchemas)) registry.register(subject, schema);
  codec = await openSchemaCodec(registry);
  table = new Map();
});
const hashOf = (tenantId: string, seq: number): Buffer => Buffer.from(`${tenantId} ${seq}`.padEnd(32));

async function exported(tenantId: string, seq: number): Promise<void> {
  const hash = hashOf(tenantId, seq);
  table.set(`${tenantId} ${seq}`, hash);
  const who = { actorKind: 'root', actorId: '', actorName: '', ip: null, requestId: null };
  const what = { action: 'a', resource: 'r', before: null, after: null };
  const entry: AuditEntry = { tenantId, seq, at: 1, ...who, ...what, prevHash: hashOf(tenantId, seq - 1), hash };
  await log
    .sender()
    .send([{ topic: 'audit', partition: 0, key: tenantId, value: codec.platform.auditEntry.encode(entry) }]);
}
const compare = (tenant?: string) =>
  compareWithTopic(
    {
      reader: log.reader(),
      codecs: codec.platform,
      log: {
        hashes: (entries) =>
          Promise.resolve(entries.map(({ tenantId, seq }) => table.get(`${tenantId} ${seq}`) ?? null)),
      },
    },
    'audit',
    tenant,
  );

it('finds nothing where the log has all, also what stands there twice, or not yet', async () => {
  for (const seq of [1, 2, 2, 3]) await exported('acme', seq);
  table.set('acme 4', hashOf('acme', 4));
  expect(await compare()).toEqual({ compared: 4, faults: [] });
});

it('names the first entry of each chain that is gone, or another', async () => {
  for (const seq of [1, 2, 3, 4]) for (const tenantId of ['', 'acme', 'other']) await exported(tenantId, seq);
  for (const seq of [3, 4]) table.delete(`acme ${seq}`);
  for (const seq of [2, 3, 4]) table.set(` ${seq}`, hashOf('forged', seq));
  expect(await compare()).toEqual({
    compared: 12,
    faults: [
      { tenantId: '', seq: 2, kind: 'different' },
      { tenantId: 'acme', seq: 3, kind: 'gone' },
    ],
  });
  expect(await compare('other')).toEqual({ compared: 4, faults: [] });
});
