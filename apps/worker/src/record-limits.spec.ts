// Real: the whole worker, the schema codec, the limit of a record (1,000,000 bytes). Doubled: Kafka (in-memory log), HTTP
// (scripted), time (virtual). Facts: what stands in the log of a delivery that nearly fills a record, and which partitions stop.
import { beforeEach, describe, expect, it } from 'vitest';
import type { Delivery } from '#libs/contracts';
import { scheduleOf } from '#libs/core';
import { WorkerWorld, type TestWorker } from './testing/worker-world.js';

const second = 1_000;
/** What dispatchers make at most: 1,024 bytes below the limit. */
const largest = 998_976;
const endpointId = `ep_${'e'.repeat(40)}`;
const stream = `replay:${'r'.repeat(60)}`;

let world: WorkerWorld;
let worker: TestWorker;
let version: number;
beforeEach(async () => {
  world = await WorkerWorld.open();
  version = await world.endpoint(endpointId);
  worker = await world.worker();
});

/** Appends a delivery of so many bytes, filled by `fill`. */
async function deliverOf(
  bytes: number,
  fill: (length: number) => Partial<Delivery>,
  changes: Partial<Delivery> = {},
): Promise<string> {
  const made = async (into: WorkerWorld, length: number) => {
    const eventId = await into.deliver(endpointId, version, { stream, ...changes, ...fill(length) });
    return { eventId, bytes: into.log.recordsOf(into.topics.deliveries)[0]?.value?.length ?? 0 };
  };
  const probe = await made(await WorkerWorld.open(), 900_000);
  const real = await made(world, 900_000 + bytes - probe.bytes);
  expect(real.bytes).toBe(bytes);
  return real.eventId;
}
const inBody = (length: number): Partial<Delivery> => ({ body: Buffer.alloc(length, 'x') });

async function goesOn(): Promise<void> {
  world.reactions.delete(endpointId);
  const next = await world.deliver(endpointId, version);
  await world.time.run(second);
  expect(worker.alarms).toEqual([]);
  expect(() => worker.consumer.check()).not.toThrow();
  expect(world.outcomes().get(next)).toBe('delivered');
}

describe('a delivery that nearly fills a record', () => {
  it('becomes a dead letter with all of its body, whatever language its error is in', async () => {
    const renderError = '語'.repeat(500);
    const eventId = await deliverOf(largest, inBody, { renderKind: 'transformation', renderError });
    await world.time.run(second);
    const lastError = `transformation: ${'語'.repeat(161)}`;
    expect(world.deadLetters()).toMatchObject([{ reason: 'transformation', lastError }]);
    expect(world.deadLetters()[0]?.delivery).toMatchObject({ renderError, renderKind: 'transformation', pos: 0 });
    expect(world.deadLetters()[0]?.delivery.body?.length).toBeGreaterThan(990_000);
    expect(world.attempts()).toMatchObject([{ eventId, error: { kind: 'transformation', message: renderError } }]);
    await goesOn();
  });

  it('becomes one without its body where no record holds it with what is said of it', async () => {
    const renderError = 'it failed';
    const eventId = await deliverOf(999_800, inBody, { renderKind: 'transformation', renderError });
    await world.time.run(second);
    expect(world.deadLetters()).toMatchObject([
      {
        reason: 'transformation',
        lastError: 'transformation: it failed',
        delivery: { eventId, body: null, renderError },
      },
    ]);
    expect(world.deadLetters()[0]?.delivery.renderKind).toBe('transformation');
    expect(world.outcomes()).toEqual(new Map([[eventId, 'deadLetter']]));
    await goesOn();
  });

  it('tells why its body is missing if nothing else was the matter with it', async () => {
    version = await world.endpoint(endpointId, { retry: scheduleOf([], { jitter: 0, maxDelayMs: 1 }) });
    world.reactions.set(endpointId, () => ({ status: 500 }));
    await deliverOf(999_800, inBody);
    await world.time.run(second);
    const renderError = 'its body was left out: with it the dead letter was too large for a record';
    expect(world.deadLetters()).toMatchObject([
      { reason: 'exhausted', lastStatus: 500, delivery: { body: null, renderError, renderKind: null } },
    ]);
    await goesOn();
  });

  it('has an Attempt that fits, also when its headers fill it', async () => {
    const inHeaders = (length: number): Partial<Delivery> => ({
      headers: { 'ce-large': 'x'.repeat(length), 'ce-id': '1' },
    });
    const answered = { 'x-large': 'é'.repeat(8_000) };
    world.reactions.set(endpointId, () => ({ status: 200, headers: answered }));
    const eventId = await deliverOf(largest, inHeaders);
    await world.time.run(second);
    const [attempt] = world.attempts();
    expect(attempt).toMatchObject({ eventId, outcome: 'delivered', final: true, response: { headers: answered } });
    expect(Object.keys(attempt?.requestHeaders ?? {})).toEqual(
      expect.arrayContaining(['content-type', 'webhook-id', 'webhook-timestamp', 'webhook-signature']),
    );
    expect(attempt?.requestHeaders).not.toHaveProperty('ce-large');
    await goesOn();
  });

  it('has an Attempt that fits, also when its event is as large as may be and its error is long', async () => {
    const inEvent = (length: number): Partial<Delivery> => ({
      orderingKey: 'k'.repeat(length - 90_000),
      renderError: '語'.repeat(30_000),
    });
    await deliverOf(largest, inEvent, { renderKind: 'transformation', body: null });
    await world.time.run(second);
    const [attempt] = world.attempts();
    expect(Buffer.byteLength(attempt?.error?.message ?? '')).toBe(4_095);
    await goesOn();
  });
});
