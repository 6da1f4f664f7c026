/** Matching and rendering of decoded records into sends. Everything real but the subscribers, who are a list. */
import { describe, expect, it } from 'vitest';
import { plainContent } from '#libs/contracts';
import { contentOf, DispatchWindow, RepeatWindow } from '#libs/core';
import { filterOf } from '#libs/filters';
import type { LogRecord } from '#libs/kafka';
import { Dispatch, type DispatchSource } from './dispatch.js';
import type { DispatchEndpoint } from './dispatch-endpoint.js';
import type { FormPorts } from './forms/event-forms.js';
import type { ReadRecord } from './read-events.js';

const endpoint = (number: number): DispatchEndpoint => ({
  endpointId: `ep_${number}`,
  tenantId: 'acme',
  eventTypes: ['*'],
  ordering: 'none',
  state: 'active',
  backfill: null,
  configVersion: number,
  partition: number % 4,
  content: contentOf({ ...plainContent }, filterOf),
});
const record = (offset: number): LogRecord => ({
  topic: 'events',
  partition: 0,
  offset,
  timestamp: 7,
  key: Buffer.from('acme'),
  value: Buffer.from('value'),
  headers: {},
});
const event = (offset: number, id = `e${offset}`): ReadRecord => ({
  kind: 'event',
  record: record(offset),
  event: {
    identity: { tenantId: 'acme', source: '/s', id },
    envelope: { id, source: '/s', type: 't', extensions: {}, data: { kind: 'json', value: null } },
  },
  json: { text: 'x'.repeat(100) },
  schemaId: 1,
});

function setup(endpoints: number, limits = { partitionBytes: 2_000, totalBytes: 4_000, records: 10 }) {
  const list = Array.from({ length: endpoints }, (_, number) => endpoint(number));
  const bodies = new Set<Buffer | null>();
  const encoder = {
    encode: (delivery: { body: Buffer | null }) => {
      bodies.add(delivery.body);
      return delivery.body ?? Buffer.of();
    },
  };
  const subscribers = { hasTenant: () => true, match: () => list, candidates: () => list };
  const forms: FormPorts = {
    data: { versionOf: () => 1, newestVersion: () => 1 } as unknown as FormPorts['data'],
    transformations: { run: () => Promise.reject(new Error('none')) },
    faults: { count: () => undefined },
    charge: () => undefined,
    breathe: () => Promise.resolve(),
  };
  const targets = { deliveries: 'd', rejected: 'r', send: limits, maxRecordBytes: 1_000_000 };
  const source: DispatchSource = {
    partition: 0,
    cursors: { allLive: true, isLive: () => true },
    incarnation: 0,
    repeats: new RepeatWindow(100),
    window: new DispatchWindow(2_000, 0),
    isWaitedFor: false,
    putBack: () => undefined,
    async settled(work) {
      await work();
      return true;
    },
  };
  return { dispatch: new Dispatch(subscribers, forms, encoder, targets, () => 9), source, bodies };
}

async function allOf<T>(sends: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const send of sends) all.push(send);
  return all;
}

describe('sends', () => {
  it('hold many events together, while they fit', async () => {
    const { dispatch, source } = setup(1);
    const sends = await allOf(dispatch.sends(source, [event(0), event(1), event(2)]));
    expect(sends).toMatchObject([{ deliveries: 3, done: { mark: { offset: 3, count: 3 } } }]);
  });

  it('of one event with very many endpoints are made one by one, and the event is done with the last', async () => {
    const { dispatch, source, bodies } = setup(95);
    const sends = dispatch.sends(source, [event(0), event(1)]);
    const first = (await sends.next()).value;
    expect(first).toMatchObject({ deliveries: 10, done: null });
    // Made when asked for: the second event has not even been looked at.
    expect(source.window.room).toBe(1_999);
    const rest = await allOf(sends);
    const done = rest.map((send) => send.done?.mark.offset ?? null);
    expect(done).toEqual([...Array.from({ length: 8 }, () => null), 1, ...Array.from({ length: 8 }, () => null), 2]);
    expect(rest.reduce((sum, { deliveries }) => sum + deliveries, 10)).toBe(190);
    expect(bodies.size).toBe(2);
  });

  it('of repeats alone are empty, but move on', async () => {
    const { dispatch, source } = setup(1);
    const sends = [
      ...(await allOf(dispatch.sends(source, [event(0, 'a')]))),
      ...(await allOf(dispatch.sends(source, [event(1, 'a'), event(2, 'a')]))),
    ];
    expect(sends).toMatchObject([
      { deliveries: 1, repeats: 0, done: { mark: { offset: 1 } } },
      { records: [], repeats: 2, done: { mark: { offset: 3 } } },
    ]);
  });
});
