// Real: Nest, Fastify, PostgreSQL, repositories, Kafka. Doubled: the schema registry. Given by hand: what dispatchers, workers
// and the projector write.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Projection, ReplayParts, type DeliveryRecord } from '#libs/persistence';
import { aDelivery as givenUp, giveUp } from '../../test/given-up.js';
import { faults, ReplayWorld } from '../../test/replay-world.js';

let world: ReplayWorld;
let endpoint: string;

beforeAll(async () => {
  world = await ReplayWorld.start('resends', { events: 2, deliveries: 3 });
  await world.createTenants('acme', 'other');
  endpoint = await world.createEndpoint('acme', 'note.*');
});
afterAll(() => world?.close());
beforeEach(() => world.beginAnew());

const aDelivery = (deliveryId: string, changes: Partial<DeliveryRecord> = {}): DeliveryRecord =>
  givenUp(endpoint, deliveryId, changes);

describe('resending a delivery', () => {
  const resend = (id: string, body?: object) => world.api.call('POST', `/v1/deliveries/${id}/resend`, body);
  const known = async (...deliveries: DeliveryRecord[]): Promise<void> => {
    await new Projection(world.database).apply({
      advances: [],
      attempts: [],
      disables: [],
      deadLetters: [],
      deliveries,
    });
  };
  const appended = async (): Promise<number> => {
    const [place] = await world.sender.send([world.anEvent(1)]);
    return place!.offset;
  };

  it('is a replay of its event', async () => {
    const offset = await appended();
    const id = `${endpoint}.live.0.1.${offset}`;
    await known(aDelivery(id, { status: 'delivered' }));
    const { status, body } = await resend(id, { newIds: true });
    expect(status).toBe(202);
    expect(body).toMatchObject({
      source: 'events',
      tenantId: 'acme',
      endpointIds: [endpoint],
      newIds: true,
      eventTypes: null,
      partitions: [{ partition: 1, from: offset, to: offset + 1 }],
    });
    expect(await new ReplayParts(world.database).parts(1)).toMatchObject([
      { partition: 1, incarnation: 0, asConfigured: 'now' },
    ]);
  });

  it('finds the event also through replays of events and of dead letters', async () => {
    const offset = await appended();
    const live = aDelivery(`${endpoint}.live.0.1.${offset}`);
    const [place] = await giveUp(world, [live], { partition: 1, offset });
    const replay = (await world.api.call('POST', `/v1/dead-letters/${live.deliveryId}/replay`)).body[
      'id'
    ] as unknown as string;
    const copy = aDelivery(`${endpoint}.${replay}.0.1.${place}`, { stream: replay });
    const [copyPlace] = await giveUp(world, [copy], { stream: replay, partition: 1, offset: place! });
    const again = (await world.api.call('POST', `/v1/dead-letters/${copy.deliveryId}/replay`)).body[
      'id'
    ] as unknown as string;
    const last = aDelivery(`${endpoint}.${again}.0.1.${copyPlace}`, { stream: again, status: 'delivered' });
    const first = (await resend(live.deliveryId)).body['id'] as unknown as string;
    const ofEvent = aDelivery(`${endpoint}.${first}.0.1.${offset}`, { stream: first, status: 'delivered' });
    await known(last, ofEvent);
    for (const id of [copy.deliveryId, last.deliveryId, ofEvent.deliveryId]) {
      const { status, body } = await resend(id);
      expect([status, body['source'], body['partitions']]).toMatchObject([
        202,
        'events',
        [{ partition: 1, from: offset, to: offset + 1 }],
      ]);
    }
  });

  it('is refused where there is nothing to send, with the reason', async () => {
    const offset = await appended();
    const beyond = `${endpoint}.live.0.1.${offset + 100}`;
    const otherLog = `${endpoint}.live.3.1.${offset}`;
    const test = `${endpoint}.test:1.0.0.0`;
    const unwanted = `${endpoint}.live.0.1.${offset}`;
    const deleted = `ep_gone.live.0.1.${offset}`;
    await known(
      aDelivery(beyond),
      aDelivery(otherLog),
      aDelivery(test, { stream: 'test:1' }),
      aDelivery(unwanted, { eventType: 'task.updated' }),
      aDelivery(deleted, { endpointId: 'ep_gone' }),
    );
    const told = async (id: string) => {
      const { status, body } = await resend(id);
      return [status, body['code'], body['detail']];
    };
    expect(await told(beyond)).toMatchObject([409, 'not-replayable', expect.stringContaining('replaced')]);
    expect(await told(otherLog)).toMatchObject([409, 'not-replayable', expect.stringContaining('replaced')]);
    expect(await told(test)).toMatchObject([409, 'not-replayable', expect.stringContaining('test')]);
    expect(await told(unwanted)).toMatchObject([409, 'not-replayable', expect.stringContaining('task.updated')]);
    expect(await told(deleted)).toMatchObject([409, 'not-replayable', expect.stringContaining('deleted')]);
    await world.deleteBefore(world.names.events, 1, offset + 1);
    await known(aDelivery(`${endpoint}.live.0.1.0`));
    expect(await told(`${endpoint}.live.0.1.0`)).toEqual([409, 'not-replayable', 'Retention has deleted its event.']);
    expect((await told('none'))[0]).toBe(404);
    expect(faults((await resend(unwanted, { since: 'x' })).body)).toEqual([['/since', 'unknown-field']]);
  });
});
