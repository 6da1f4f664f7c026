/** Real: the source, the scan, the reader of events. Doubled: the log (in memory), the directory. Asserted: what is read when. */
import { beforeEach, expect, it } from 'vitest';
import { InMemoryLog } from '#libs/kafka';
import type { FormPorts } from '../forms/event-forms.js';
import type { DispatchEndpoint } from '../dispatch-endpoint.js';
import { EventReader } from '../read-events.js';
import { EventSource } from './event-source.js';

const at = { topic: 'events', partition: 0 };
const noData = { prepare: () => Promise.resolve(), isPrepared: () => true, toJson: () => ({ ok: true, json: null }) };
const part = {
  replayId: 'replay:1',
  tenantId: 'acme',
  source: 'events',
  state: 'running',
  endpointIds: ['ep_1'],
  eventTypes: null,
  filter: null,
  selection: null,
  newIds: false,
  asConfigured: 'now',
  incarnation: 0,
  partition: 0,
  from: 0,
  to: 100,
  position: 0,
  scanned: 0,
  matched: 0,
  sent: 0,
} as const;

let endpoint: DispatchEndpoint;
let parses = 0;
let source: EventSource;
const wanting = (...eventTypes: string[]): DispatchEndpoint =>
  ({ endpointId: 'ep_1', tenantId: 'acme', eventTypes }) as unknown as DispatchEndpoint;

beforeEach(async () => {
  const log = new InMemoryLog();
  log.createTopic(at.topic, 1);
  const records = Array.from({ length: 100 }, (_, n) => ({
    ...at,
    key: 'acme',
    value: Buffer.of(1),
    headers: {
      'content-type': 'application/avro',
      ce_specversion: '1.0',
      ce_id: `e${n}`,
      ce_source: '/s',
      ce_type: n % 2 === 0 ? 't.even' : 't.odd',
    },
  }));
  await log.sender().send(records);
  const reader = new EventReader(noData as unknown as ConstructorParameters<typeof EventReader>[0], 10_000);
  parses = 0;
  endpoint = wanting('t.even');
  source = new EventSource(part, at, {
    reader: log.reader(),
    events: {
      parse: (record) => {
        parses += 1;
        return reader.parse(record);
      },
      decode: (parsed) => reader.decode(parsed),
    },
    repeatWindow: 10,
    directory: { get: () => endpoint },
    store: { pastSubscriptions: () => Promise.resolve([]) },
    forms: {} as unknown as FormPorts,
    now: () => 0,
  });
});

it('looks through a chunk once, however often it is asked for it, and counts each record once', async () => {
  const first = await source.peek(100);
  expect(first.candidates.map(({ offset }) => offset)).toEqual(Array.from({ length: 50 }, (_, n) => n * 2));
  expect(await source.peek(100)).toBe(first);
  expect(source.advance(41)).toBe(41);
  const rest = await source.peek(100);
  expect(rest).toMatchObject({ end: 100 });
  expect(rest.candidates).toEqual(first.candidates.slice(21));
  expect(source.advance(100)).toBe(59);
  expect((await source.peek(100)).candidates).toEqual([]);
  expect(parses).toBe(100);
});

it('asks its endpoints anew when they have changed', async () => {
  expect((await source.peek(100)).candidates).toHaveLength(50);
  endpoint = wanting('t.*');
  expect((await source.peek(100)).candidates).toHaveLength(100);
  expect(parses).toBe(100);
});

it('goes on after a rest from where it had got', async () => {
  await source.peek(100);
  source.advance(60);
  await source.close();
  const { candidates } = await source.peek(100);
  expect(candidates[0]?.offset).toBe(60);
  expect(candidates).toHaveLength(20);
});
