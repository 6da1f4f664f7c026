/**
 * Replays of events and of dead letters. Real: every stage of the dispatcher, the codec. Doubled: the log (in memory),
 * PostgreSQL (in memory), the workers (their status records), time. Asserted: what stands in the log, and the checkpoints.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import { deliveryIdOf, webhookIdOf } from '#libs/core';
import type { Delivery } from '#libs/contracts';
import { Harness, topics } from '../../test/dispatcher-harness.js';
import type { ReplayPart } from './replay-store.js';

const replayId = 'replay:1';
let posthorn: Harness;
beforeEach(async () => {
  posthorn = await Harness.open();
  await posthorn.tenant();
  posthorn.workersTell();
});

const upTo = (end: number): number[] => Array.from({ length: end }, (_, offset) => offset);
const sent = (stream = replayId): readonly Delivery[] => posthorn.deliveries().filter((one) => one.stream === stream);
const offsets = (stream = replayId): number[] => sent(stream).map(({ sourceOffset }) => sourceOffset);

async function replay(change: Partial<ReplayPart> = {}): Promise<number> {
  const part: ReplayPart = {
    replayId,
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
    position: change.from ?? 0,
    scanned: 0,
    matched: 0,
    sent: 0,
    ...change,
  };
  posthorn.replays.add(part);
  return posthorn.replayRecord(part.replayId, part.state);
}

describe('a replay of events', () => {
  beforeEach(async () => {
    await posthorn.endpoint('ep_1', { ordering: 'key' });
    await posthorn.start();
    await posthorn.events(100);
    await posthorn.time.advance(1_000);
  });

  it('sends the window again, in order, as a stream of its own, and tells workers when it has ended', async () => {
    const version = await replay({ from: 20, to: 60 });
    await posthorn.time.advance(3_000);
    expect(offsets()).toEqual(upTo(60).slice(20));
    expect(sent()[0]).toMatchObject({
      webhookId: webhookIdOf('ep_1', '/projects', 'e21'),
      stream: replayId,
      space: '',
      floor: 20,
      sourcePartition: 0,
      ordering: 'key',
      configVersion: version,
      attempt: 0,
    });
    expect(posthorn.replays.rows.get(`${replayId} 0`)).toMatchObject({
      done: true,
      part: { position: 60, scanned: 40, matched: 40, sent: 40 },
    });
    expect(posthorn.ends()).toEqual([
      { endpointId: '', stream: replayId, incarnation: 0, sourcePartition: 0, space: '' },
    ]);
  });

  it('leaves out what the endpoint does not want now, what the replay does not ask for, and repeats', async () => {
    await posthorn.event({ id: 'x', headers: { ce_type: 'task.deleted' } });
    await posthorn.event({ id: 'y', subject: 'task/7' });
    await posthorn.event({ id: 'y', subject: 'task/7' });
    await posthorn.event({ id: 'z', subject: 'task/8' });
    await replay({ from: 100, to: 104, eventTypes: ['task.updated'], filter: { exact: { subject: 'task/7' } } });
    await replay({ replayId: 'replay:2', from: 100, to: 104, eventTypes: ['task.created'] });
    await posthorn.time.advance(3_000);
    expect(sent().map(({ eventId }) => eventId)).toEqual(['y']);
    expect(sent('replay:2')).toEqual([]);
    expect(posthorn.replays.rows.get('replay:2 0')).toMatchObject({ done: true, part: { scanned: 4, matched: 0 } });
  });

  it('reaches whom an endpoint was subscribed to then, if that is asked for', async () => {
    const at = posthorn.time.now();
    await posthorn.time.advance(10_000);
    await posthorn.events(10);
    posthorn.replays.past = [
      { endpointId: 'ep_1', since: 0, eventTypes: null },
      { endpointId: 'ep_1', since: at + 5_000, eventTypes: ['task.*'] },
    ];
    await replay({ to: 110, asConfigured: 'then' });
    await posthorn.time.advance(3_000);
    expect(offsets()).toEqual(upTo(110).slice(100));
  });

  it('stores no checkpoint for each chunk of which nothing is sent, and none but those as a floor', async () => {
    await posthorn.events(5_000, { headers: { ce_type: 'task.deleted' } });
    await posthorn.event();
    await replay({ from: 100, to: 5_101, eventTypes: ['task.updated'] });
    await posthorn.time.advance(900);
    expect(posthorn.replays.rows.get(`${replayId} 0`)).toMatchObject({
      done: true,
      part: { position: 5_101, scanned: 5_001, matched: 1, sent: 1 },
    });
    // The first chunk, the event, the end.
    expect(posthorn.replays.checkpoints).toBe(3);
    expect(sent().map(({ sourceOffset, floor }) => ({ sourceOffset, floor }))).toEqual([
      { sourceOffset: 5_100, floor: 1_100 },
    ]);
  });

  it('is sent in small slices, whatever room there is, from all partitions together', async () => {
    await posthorn.events(300);
    await posthorn.events(300, { partition: 1 });
    await posthorn.time.advance(1_000);
    await replay({ to: 400 });
    posthorn.replays.add({ ...posthorn.replays.rows.get(`${replayId} 0`)!.part, partition: 1, to: 300 });
    await posthorn.time.advance(3_000);
    const slices = new Map<number, number>();
    for (const { dispatchedAt } of sent()) {
      const slice = Math.floor(dispatchedAt / 50);
      slices.set(slice, (slices.get(slice) ?? 0) + 1);
    }
    expect(sent()).toHaveLength(700);
    expect(Math.max(...slices.values())).toBe(25);
  });

  it('gives new ids where they are asked for, the same in each run', async () => {
    await replay({ to: 3, newIds: true });
    await replay({ replayId: 'replay:2', to: 3, newIds: true });
    await posthorn.time.advance(3_000);
    const ids = [...sent(), ...sent('replay:2'), ...sent('live').slice(0, 3)].map(({ webhookId }) => webhookId);
    expect(new Set(ids).size).toBe(9);
  });

  it('stops while it is paused, goes on when it is resumed, and ends when it is cancelled', async () => {
    posthorn.workersStop();
    await posthorn.events(2_000);
    await replay({ to: 2_100 });
    await posthorn.time.advance(2_000);
    expect(sent()).toHaveLength(1_000);
    await posthorn.replayRecord(replayId, 'paused');
    posthorn.workersTell();
    await posthorn.time.advance(5_000);
    expect(sent()).toHaveLength(1_000);
    posthorn.workersStop();
    await posthorn.replayRecord(replayId, 'running');
    await posthorn.time.advance(5_000);
    expect(offsets()).toEqual(upTo(2_000));
    await posthorn.replayRecord(replayId, 'cancelled');
    await posthorn.time.advance(5_000);
    expect(sent()).toHaveLength(2_000);
    expect(posthorn.replays.rows.get(`${replayId} 0`)).toMatchObject({ done: true, part: { position: 2_000 } });
    expect(posthorn.ends()).toHaveLength(1);
  });

  it('waits for an endpoint that is paused, and leaves out one that was deleted', async () => {
    await posthorn.endpoint('ep_2');
    await posthorn.endpoint('ep_1', { state: 'paused' });
    await replay({ endpointIds: ['ep_1', 'ep_2', 'ep_gone'], to: 10 });
    await posthorn.time.advance(3_000);
    expect(sent()).toEqual([]);
    await posthorn.deleteEndpoint('ep_1');
    await posthorn.time.advance(3_000);
    expect(sent().map(({ endpointId }) => endpointId)).toEqual(upTo(10).map(() => 'ep_2'));
  });

  it('is carried on by the next owner: what was sent and not stored comes again with the same ids, above the floor', async () => {
    posthorn.processes[0]!.view.answersLost = true;
    await replay();
    await posthorn.time.advance(500);
    expect(sent()).toHaveLength(25);
    expect(posthorn.replays.checkpoints).toBe(0);
    await posthorn.processes[0]!.view.kill();
    await posthorn.start();
    await posthorn.time.advance(3_000);
    const ids = sent().map(deliveryIdOf);
    expect(ids).toHaveLength(125);
    expect(new Set(ids).size).toBe(100);
    expect(posthorn.replays.rows.get(`${replayId} 0`)?.done).toBe(true);
  });

  it('is not over because a fetch failed: nothing of it is skipped', async () => {
    const { view } = posthorn.processes[0]!;
    view.rangeFailures = 3;
    await replay();
    await posthorn.time.advance(10_000);
    expect(view.rangeFailures).toBe(0);
    expect(offsets()).toEqual(upTo(100));
  });

  it('that cannot go on does not keep the others from it, and ends when it is cancelled', async () => {
    await replay({ replayId: 'replay:bad', filter: { unknown: {} } });
    await replay({ replayId: 'replay:foreign', to: 1_000_000 });
    await replay({ replayId: 'replay:old', incarnation: 7 });
    await replay();
    await posthorn.time.advance(10_000);
    expect(offsets()).toEqual(upTo(100));
    for (const id of ['replay:bad', 'replay:foreign', 'replay:old']) {
      expect(offsets(id)).toEqual([]);
      await posthorn.replayRecord(id, 'cancelled');
    }
    await posthorn.time.advance(10_000);
    expect([...posthorn.replays.rows.values()].map(({ done }) => done)).toEqual([true, true, true, true]);
  });

  it('of a log that no longer reaches back goes on where that begins, and says so', async () => {
    await posthorn.log.administration().deleteRecordsBefore([{ topic: topics.events, partition: 0, offset: 30 }]);
    await replay();
    await posthorn.time.advance(3_000);
    expect(offsets()).toEqual(upTo(100).slice(30));
    expect(posthorn.processes[0]?.counts.lost).toBe(30);
  });
});

it('more replays than are worked at at once all come to their end', async () => {
  await posthorn.endpoint('ep_1');
  await posthorn.endpoint('ep_2', { state: 'paused' });
  await posthorn.start();
  await posthorn.events(50);
  await posthorn.time.advance(1_000);
  for (let nth = 0; nth < 5; nth += 1) await replay({ replayId: `replay:w${nth}`, endpointIds: ['ep_2'], to: 50 });
  for (let nth = 0; nth < 5; nth += 1) await replay({ replayId: `replay:${nth}`, to: 50 });
  await posthorn.time.advance(60_000);
  for (let nth = 0; nth < 5; nth += 1) expect(offsets(`replay:${nth}`)).toEqual(upTo(50));
});

describe('a replay of dead letters', () => {
  const deadLetter = async (
    sourceOffset: number,
    endpointId = 'ep_1',
    change: Partial<Delivery> = {},
  ): Promise<string> => {
    const original = posthorn
      .deliveries()
      .find((one) => one.endpointId === endpointId && one.sourceOffset === sourceOffset)!;
    const { at: _, ...delivery } = original;
    const dead = { ...delivery, attempt: 4, hop: 9, pos: 12, scheduleFrom: 2, dueAt: 5, ...change };
    const deliveryId = deliveryIdOf(dead);
    const why = { reason: 'exhausted', at: posthorn.time.now(), lastStatus: 500, lastError: null };
    const value = posthorn.codec.platform.deadLetter.encode({ deliveryId, delivery: dead, ...why });
    await posthorn.append(topics.deadLetters, 0, endpointId, value);
    return deliveryId;
  };

  beforeEach(async () => {
    await posthorn.endpoint('ep_1');
    await posthorn.endpoint('ep_2');
    await posthorn.start();
    await posthorn.events(4);
    await posthorn.time.advance(1_000);
  });

  it('sends what is open of them once, from the beginning of the retry policy', async () => {
    const first = await deadLetter(0);
    await deadLetter(0);
    const discarded = await deadLetter(1);
    const other = await deadLetter(2, 'ep_2');
    const last = await deadLetter(3);
    for (const id of [first, other, last]) posthorn.replays.open.add(id);
    expect(posthorn.replays.open).not.toContain(discarded);
    await replay({ source: 'dead-letters', to: 5 });
    await posthorn.time.advance(3_000);
    expect(sent().map(({ eventId }) => eventId)).toEqual(['e1', 'e4']);
    expect(sent()[0]).toMatchObject({
      webhookId: webhookIdOf('ep_1', '/projects', 'e1'),
      sourcePartition: 0,
      sourceOffset: 0,
      floor: 0,
      attempt: 0,
      hop: 0,
      pos: null,
      dueAt: null,
      scheduleFrom: 0,
    });
    expect(sent()[0]?.body).toEqual(posthorn.deliveries().find(({ eventId }) => eventId === 'e1')?.body);
    expect([...posthorn.replays.open]).toEqual([other]);
    expect(posthorn.replays.rows.get(`${replayId} 0`)).toMatchObject({ done: true, part: { scanned: 5, sent: 2 } });
  });

  it('says of one without a body why it has none: too large, where nothing else is told', async () => {
    const renderError = 'its body was left out';
    const ids = [
      await deadLetter(0, 'ep_1', { body: null, renderError }),
      await deadLetter(1, 'ep_1', { body: null, renderError, renderKind: 'transformation' }),
      await deadLetter(2, 'ep_1', { body: null, renderError, renderKind: 'version' }),
    ];
    for (const id of ids) posthorn.replays.open.add(id);
    await replay({ source: 'dead-letters', to: 3 });
    await posthorn.time.advance(3_000);
    expect(sent().map((one) => [one.renderKind, one.renderError])).toEqual(
      ['too-large', 'transformation', 'version'].map((kind) => [kind, renderError]),
    );
  });
});
