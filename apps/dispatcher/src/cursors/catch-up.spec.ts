/**
 * Catching up from the log.
 * Real: every stage of the dispatcher, the codec. Doubled: the log (in memory), PostgreSQL (in memory), the workers (their
 * status records), time. Asserted: what stands in the log, in which dedupe space.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import { Harness, topics } from '../../test/dispatcher-harness.js';
import { offsetsOf, sentTo, upTo } from '../../test/sent.js';

let posthorn: Harness;
beforeEach(async () => {
  posthorn = await Harness.open();
  await posthorn.tenant();
  posthorn.workersTell();
});

const of = (endpointId: string) => sentTo(posthorn, endpointId);

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
