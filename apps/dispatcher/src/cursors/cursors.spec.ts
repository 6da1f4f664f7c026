/**
 * Freezing, catching up, joining. Real: every stage of the dispatcher, the codec. Doubled: the log (in memory), PostgreSQL
 * (in memory), the workers (their status records), time. Asserted: what stands in the log, in which dedupe space.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import type { Delivery } from '#libs/contracts';
import { Harness, topics } from '../../test/dispatcher-harness.js';

let posthorn: Harness;
beforeEach(async () => {
  posthorn = await Harness.open();
  await posthorn.tenant();
  posthorn.workersTell();
});

const offsetsOf = (deliveries: readonly Delivery[]): number[] => deliveries.map(({ sourceOffset }) => sourceOffset);
const upTo = (end: number): number[] => Array.from({ length: end }, (_, offset) => offset);
const of = (endpointId: string) => posthorn.deliveries().filter((one) => one.endpointId === endpointId);

describe('a paused endpoint', () => {
  it('is sent nothing from the freeze on, and all of it, in order, when it is resumed', async () => {
    await posthorn.endpoint('ep_1', { ordering: 'endpoint' });
    await posthorn.endpoint('ep_2');
    const { counts } = await posthorn.start();
    await posthorn.events(10);
    await posthorn.time.advance(1_000);
    await posthorn.endpoint('ep_1', { state: 'paused' });
    await posthorn.time.advance(1_000);
    expect(counts.frozen).toBe(2);
    await posthorn.events(1_000);
    await posthorn.time.advance(1_000);
    expect(offsetsOf(of('ep_1'))).toEqual(upTo(10));
    expect(offsetsOf(of('ep_2'))).toEqual(upTo(1_010));
    const version = await posthorn.endpoint('ep_1', { state: 'active', ordering: 'endpoint' });
    await posthorn.time.advance(3_000);
    await posthorn.events(10);
    await posthorn.time.advance(1_000);
    expect(offsetsOf(of('ep_1'))).toEqual(upTo(1_020));
    expect(of('ep_1').map(({ stream, space }) => `${stream} ${space === '' ? '' : 'run'}`)).toEqual(
      upTo(1_020).map((offset) => (offset < 10 || offset >= 1_010 ? 'live ' : 'live run')),
    );
    expect(of('ep_1').at(500)).toMatchObject({ configVersion: version, ordering: 'endpoint' });
    // Its rows are gone, and workers were told of the end of its space in each partition that it followed.
    expect([...posthorn.cursors.rowsOf(0).values(), ...posthorn.cursors.rowsOf(1).values()]).toEqual([]);
    expect(
      posthorn
        .ends()
        .map(({ endpointId, sourcePartition }) => `${endpointId} ${sourcePartition}`)
        .toSorted(),
    ).toEqual(['ep_1 0', 'ep_1 1']);
    expect(counts).toMatchObject({ joined: 2, caughtUp: 1_000, lost: 0 });
  });

  it('goes on being sent to while its cursor cannot be stored: workers hold what arrives', async () => {
    await posthorn.endpoint('ep_1');
    await posthorn.start();
    posthorn.cursors.isAway = true;
    await posthorn.endpoint('ep_1', { state: 'paused' });
    await posthorn.time.advance(1_000);
    await posthorn.events(5);
    await posthorn.time.advance(5_000);
    expect(offsetsOf(of('ep_1'))).toEqual(upTo(5));
    posthorn.cursors.isAway = false;
    await posthorn.time.advance(5_000);
    await posthorn.events(5);
    await posthorn.time.advance(1_000);
    expect(offsetsOf(of('ep_1'))).toEqual(upTo(5));
  });

  it('holds its partition up, from choosing where until it is known to be stored', async () => {
    await posthorn.endpoint('ep_1');
    await posthorn.endpoint('ep_2');
    await posthorn.start();
    await posthorn.events(3);
    await posthorn.time.advance(1_000);
    // The answers of the ping before the write arrive, those of the writes do not.
    posthorn.cursors.losesAnswersOf('write', 3);
    await posthorn.endpoint('ep_1', { state: 'paused' });
    await posthorn.time.advance(110);
    await posthorn.events(3);
    await posthorn.time.advance(100);
    expect(offsetsOf(of('ep_2'))).toEqual(upTo(3));
    await posthorn.time.advance(10_000);
    expect(offsetsOf(of('ep_2'))).toEqual(upTo(6));
    expect(offsetsOf(of('ep_1'))).toEqual(upTo(3));
    expect([...posthorn.cursors.rowsOf(0).values()]).toMatchObject([{ endpointId: 'ep_1', position: 3 }]);
  });

  it('is frozen by a new owner no earlier than where its predecessor may have sent live', async () => {
    await posthorn.endpoint('ep_1');
    const first = await posthorn.start({ commitIntervalMs: 60_000 });
    await posthorn.events(20);
    await posthorn.time.settle();
    await first.view.kill();
    await posthorn.endpoint('ep_1', { state: 'paused' });
    await posthorn.start();
    await posthorn.time.advance(2_000);
    expect([...posthorn.cursors.rowsOf(0).values()]).toMatchObject([{ position: 20 }]);
    // Once more what was not committed, in the same space; nothing else.
    expect(offsetsOf(of('ep_1'))).toEqual([...upTo(20), ...upTo(20)]);
  });

  it('is caught up by whoever owns the partition: what was sent and not stored comes again in the same space', async () => {
    await posthorn.endpoint('ep_1');
    const first = await posthorn.start();
    await posthorn.time.advance(500);
    await posthorn.endpoint('ep_1', { state: 'paused' });
    await posthorn.time.advance(500);
    await posthorn.events(700);
    await posthorn.time.advance(1_000);
    posthorn.cursors.isAway = true;
    await posthorn.endpoint('ep_1', { state: 'active' });
    await posthorn.time.advance(500);
    await first.view.kill();
    posthorn.cursors.isAway = false;
    await posthorn.start();
    await posthorn.time.advance(5_000);
    const ids = of('ep_1').map(({ sourceOffset, space }) => `${sourceOffset} ${space}`);
    expect(ids.length).toBeGreaterThan(700);
    expect(new Set(ids).size).toBe(700);
    expect([...new Set(offsetsOf(of('ep_1')))].toSorted((a, b) => a - b)).toEqual(upTo(700));
    expect([...posthorn.cursors.rowsOf(0).values()]).toEqual([]);
  });

  it('that is deleted is not caught up: its run ends', async () => {
    await posthorn.endpoint('ep_1');
    await posthorn.start();
    await posthorn.endpoint('ep_1', { state: 'paused' });
    await posthorn.time.advance(1_000);
    await posthorn.events(5);
    await posthorn.deleteEndpoint('ep_1');
    await posthorn.time.advance(3_000);
    expect(of('ep_1')).toEqual([]);
    expect([...posthorn.cursors.rowsOf(0).values(), ...posthorn.cursors.rowsOf(1).values()]).toEqual([]);
    expect(posthorn.ends()).toHaveLength(2);
  });
});

describe('a catch-up', () => {
  const paused = async (events: number): Promise<void> => {
    await posthorn.endpoint('ep_1');
    await posthorn.start();
    await posthorn.endpoint('ep_1', { state: 'paused' });
    await posthorn.time.advance(1_000);
    await posthorn.events(events);
    await posthorn.time.advance(2_000);
  };

  it('leaves out what live dispatch would have: repeats, and what the endpoint does not want', async () => {
    await posthorn.endpoint('ep_1', { eventTypes: ['task.updated'] });
    await posthorn.start();
    await posthorn.event({ id: 'a' });
    await posthorn.time.advance(500);
    await posthorn.endpoint('ep_1', { eventTypes: ['task.updated'], state: 'paused' });
    await posthorn.time.advance(500);
    await posthorn.event({ id: 'a' });
    await posthorn.event({ id: 'b' });
    await posthorn.event({ id: 'b' });
    await posthorn.event({ id: 'c', headers: { ce_type: 'task.deleted' } });
    await posthorn.event({ id: 'd', tenant: 'globex' });
    await posthorn.event({ id: 'e', value: Buffer.from('no avro') });
    await posthorn.event({ id: 'f' });
    await posthorn.endpoint('ep_1', { eventTypes: ['task.updated'] });
    await posthorn.time.advance(3_000);
    expect(of('ep_1').map(({ eventId }) => eventId)).toEqual(['a', 'b', 'f']);
  });

  it('sends no more than there is room for: what its worker tells, and what it sent since', async () => {
    await paused(4_000);
    posthorn.workersStop();
    await posthorn.endpoint('ep_1');
    await posthorn.time.advance(5_000);
    expect(of('ep_1')).toHaveLength(1_000);
    await posthorn.tellStatus('ep_1', { outstanding: 990 });
    await posthorn.time.advance(1_000);
    expect(of('ep_1')).toHaveLength(1_010);
    await posthorn.tellStatus('ep_1', { outstanding: 700, circuitOpenUntil: posthorn.time.now() + 500 });
    await posthorn.time.advance(2_000);
    expect(of('ep_1')).toHaveLength(1_010);
    await posthorn.tellStatus('ep_1', { outstanding: 700 });
    await posthorn.time.advance(1_000);
    expect(of('ep_1')).toHaveLength(1_310);
    expect(offsetsOf(of('ep_1'))).toEqual(upTo(1_310));
  });

  it('sends no more at once than a lane of the workers holds, if that is set to be small', async () => {
    await posthorn.endpoint('ep_1');
    await posthorn.start({ laneRecords: 200 });
    await posthorn.endpoint('ep_1', { state: 'paused' });
    await posthorn.time.advance(1_000);
    await posthorn.events(900);
    await posthorn.time.advance(2_000);
    posthorn.workersStop();
    await posthorn.endpoint('ep_1');
    await posthorn.time.advance(5_000);
    expect(of('ep_1')).toHaveLength(200);
    posthorn.workersTell();
    await posthorn.time.advance(10_000);
    expect(offsetsOf(of('ep_1'))).toEqual(upTo(900));
  });

  it('waits while no worker tells how things stand', async () => {
    await paused(100);
    posthorn.workersStop();
    await posthorn.time.advance(60_000);
    await posthorn.endpoint('ep_1');
    await posthorn.time.advance(10_000);
    expect(of('ep_1')).toEqual([]);
    posthorn.workersTell();
    await posthorn.time.advance(3_000);
    expect(of('ep_1')).toHaveLength(100);
  });

  it('of many that stand at different places reads the log about once, and takes along whom it meets', async () => {
    const ids = Array.from({ length: 8 }, (_, nth) => `ep_${nth}`);
    for (const endpointId of ids) await posthorn.endpoint(endpointId);
    const { view } = await posthorn.start();
    for (const endpointId of ids) {
      await posthorn.events(300);
      await posthorn.time.advance(500);
      await posthorn.endpoint(endpointId, { state: 'paused' });
      await posthorn.time.advance(500);
    }
    await posthorn.events(300);
    await posthorn.time.advance(1_000);
    const before = view.recordsRead;
    for (const endpointId of ids) await posthorn.endpoint(endpointId);
    await posthorn.time.advance(20_000);
    for (const endpointId of ids) expect(offsetsOf(of(endpointId))).toEqual(upTo(2_700));
    expect(posthorn.processes[0]?.counts.joined).toBe(16);
    expect(posthorn.processes[0]?.lines.join()).not.toContain('cursors do not move');
    // One by one it would be 10,800, and as much again that it takes to tell repeats.
    expect(view.recordsRead - before).toBeLessThan(4.5 * 2_700);
  });

  it('never reads beyond the commit: what lies there may still be sent live', async () => {
    await posthorn.endpoint('ep_1');
    const { view } = await posthorn.start();
    await posthorn.endpoint('ep_1', { state: 'paused' });
    await posthorn.time.advance(1_000);
    view.commitsRefused = true;
    await posthorn.events(50);
    await posthorn.endpoint('ep_1');
    await posthorn.time.advance(3_000);
    expect(of('ep_1')).toEqual([]);
    view.commitsRefused = false;
    await posthorn.time.advance(3_000);
    expect(offsetsOf(of('ep_1'))).toEqual(upTo(50));
  });

  it('tells what the log has lost, and goes on where it begins', async () => {
    await paused(100);
    await posthorn.log.administration().deleteRecordsBefore([{ topic: topics.events, partition: 0, offset: 40 }]);
    await posthorn.endpoint('ep_1');
    await posthorn.time.advance(3_000);
    expect(offsetsOf(of('ep_1'))).toEqual(upTo(100).slice(40));
    expect(posthorn.processes[0]?.counts.lost).toBe(40);
    expect(posthorn.processes[0]?.lines.join()).toContain('was lost to retention');
  });
});

describe('an endpoint that overflows, or whose circuit stays open', () => {
  it.each([
    ['has too much outstanding', { outstanding: 10_001, overflow: true }, { outstanding: 300 }],
    ['has an open circuit for minutes', { outstanding: 200, circuitOpenUntil: 2e12 }, { outstanding: 10 }],
  ])('is frozen when it %s, and catches up afterwards', async (_, bad, good) => {
    await posthorn.endpoint('ep_1');
    const { counts } = await posthorn.start();
    await posthorn.events(3);
    for (let told = 0; told < 14; told += 1) {
      await posthorn.tellStatus('ep_1', bad);
      await posthorn.time.advance(10_000);
    }
    expect(counts.frozen).toBe(2);
    await posthorn.events(50);
    await posthorn.time.advance(1_000);
    expect(of('ep_1')).toHaveLength(3);
    await posthorn.tellStatus('ep_1', good);
    await posthorn.time.advance(2_000);
    expect(offsetsOf(of('ep_1'))).toEqual(upTo(53));
    expect(counts.joined).toBe(2);
  });

  it('does not stay frozen on the word of a worker that no longer says so', async () => {
    await posthorn.endpoint('ep_1');
    const { counts } = await posthorn.start();
    await posthorn.tellStatus('ep_1', { outstanding: 10_001, overflow: true });
    await posthorn.time.advance(25_000);
    expect(counts).toMatchObject({ frozen: 2, joined: 0 });
    await posthorn.time.advance(20_000);
    expect(counts.joined).toBe(2);
  });

  it('is one of the fattest of a partition that holds too much, until half of that is gone', async () => {
    for (const endpointId of ['ep_1', 'ep_2', 'ep_3']) await posthorn.endpoint(endpointId);
    const { counts } = await posthorn.start();
    posthorn.workersStop();
    const partition = posthorn.partitionOf('ep_1');
    const there = ['ep_1', 'ep_2', 'ep_3'].filter((id) => posthorn.partitionOf(id) === partition);
    const tell = async (outstanding: number): Promise<void> => {
      const all = { outstanding, overflow: outstanding > 500 };
      for (const [nth, id] of there.entries()) await posthorn.tellStatus(id, { outstanding: 300 - nth }, all);
      await posthorn.time.advance(1_000);
    };
    for (let told = 0; told < 5; told += 1) await tell(600);
    // Once, however often it is told, and whatever each of them has outstanding.
    expect(counts).toMatchObject({ frozen: 2, joined: 0 });
    expect([...posthorn.cursors.rowsOf(0).values()]).toMatchObject([{ endpointId: 'ep_1' }]);
    await tell(400);
    expect(counts).toMatchObject({ frozen: 2, joined: 0 });
    await tell(300);
    expect(counts).toMatchObject({ frozen: 2, joined: 2 });
  });

  it('is no matter of what a replay has outstanding: neither is it frozen for that, nor kept from catching up', async () => {
    await posthorn.endpoint('ep_1', { state: 'paused' });
    const { counts } = await posthorn.start();
    await posthorn.time.advance(1_000);
    await posthorn.events(20);
    const streams = [{ stream: 'replay:1', outstanding: 20_000 }];
    await posthorn.tellStatus('ep_1', { outstanding: 20_000, overflow: true, streams });
    await posthorn.endpoint('ep_1');
    await posthorn.time.advance(2_000);
    expect(of('ep_1')).toHaveLength(20);
    expect(counts).toMatchObject({ frozen: 2, joined: 2 });
  });

  it('goes on being told of when a record cannot be read', async () => {
    await posthorn.endpoint('ep_1');
    const { counts, lines } = await posthorn.start();
    const partition = posthorn.partitionOf('ep_1');
    await posthorn.append(topics.endpointStatus, partition, 'ep_1', Buffer.from('no record of ours'));
    await posthorn.tellStatus('ep_1', { outstanding: 10_001, overflow: true });
    await posthorn.time.advance(1_000);
    expect(lines.join()).toContain('how an endpoint stands is unreadable');
    expect(counts.frozen).toBe(2);
  });
});

describe('a backfill', () => {
  it('gives an endpoint history first, then what comes, without gap or repeat', async () => {
    await posthorn.start();
    await posthorn.events(400);
    await posthorn.time.advance(1_000);
    posthorn.cursors.backfill(0, 'ep_1', 'b_1', 100);
    posthorn.cursors.backfill(1, 'ep_1', 'b_1', 0);
    await posthorn.endpoint('ep_1', { backfill: 'b_1' });
    await posthorn.events(100);
    await posthorn.time.advance(3_000);
    await posthorn.events(100);
    await posthorn.time.advance(1_000);
    expect(offsetsOf(of('ep_1'))).toEqual(upTo(600).slice(100));
    expect(posthorn.cursors.rowsOf(0).size).toBe(0);
  });

  it('is sent nothing as long as its cursors cannot be looked up, and then all', async () => {
    await posthorn.start();
    posthorn.cursors.backfill(0, 'ep_1', 'b_1', 0);
    posthorn.cursors.backfill(1, 'ep_1', 'b_1', 0);
    posthorn.cursors.isAway = true;
    await posthorn.endpoint('ep_1', { backfill: 'b_1' });
    await posthorn.events(10);
    await posthorn.time.advance(5_000);
    expect(of('ep_1')).toEqual([]);
    posthorn.cursors.isAway = false;
    await posthorn.time.advance(5_000);
    expect(offsetsOf(of('ep_1'))).toEqual(upTo(10));
  });

  it('that is paused from the beginning waits without holding anything up', async () => {
    const { view } = await posthorn.start();
    posthorn.cursors.backfill(0, 'ep_1', 'b_1', 0);
    posthorn.cursors.backfill(1, 'ep_1', 'b_1', 0);
    await posthorn.endpoint('ep_1', { backfill: 'b_1', state: 'paused' });
    await posthorn.events(10);
    await posthorn.time.advance(2_000);
    const { pings } = posthorn.cursors;
    await posthorn.time.advance(10_000);
    expect(posthorn.cursors.pings).toBe(pings);
    expect(of('ep_1')).toEqual([]);
    await posthorn.endpoint('ep_1', { backfill: 'b_1' });
    await posthorn.time.advance(3_000);
    expect(offsetsOf(of('ep_1'))).toEqual(upTo(10));
    expect(view.dead).toBe(false);
  });

  it('that has joined is live for the next owner, too', async () => {
    const first = await posthorn.start();
    posthorn.cursors.backfill(0, 'ep_1', 'b_1', 0);
    posthorn.cursors.backfill(1, 'ep_1', 'b_1', 0);
    await posthorn.endpoint('ep_1', { backfill: 'b_1' });
    await posthorn.events(10);
    await posthorn.time.advance(3_000);
    await first.view.kill();
    await posthorn.start();
    await posthorn.events(10);
    await posthorn.time.advance(1_000);
    expect(offsetsOf(of('ep_1'))).toEqual(upTo(20));
  });
});

it('a dispatcher whose epoch was raised stops, and ends when the group does not say why', async () => {
  await posthorn.endpoint('ep_1');
  const { lines, dispatcher } = await posthorn.start();
  await posthorn.cursors.takeOver(0);
  await posthorn.endpoint('ep_1', { state: 'paused' });
  await posthorn.time.advance(1_000);
  await posthorn.event();
  await posthorn.time.advance(1_000);
  expect(of('ep_1')).toEqual([]);
  expect(() => dispatcher.check()).toThrow('another dispatcher has taken it over');
  expect(lines.join()).not.toContain('died');
  await posthorn.time.advance(10_000);
  expect(lines.join()).toContain('died: t.events-0: another dispatcher has taken it over');
});
