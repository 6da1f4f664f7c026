/**
 * What is done about endpoints and partitions that hold too much.
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
