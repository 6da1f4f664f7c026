/**
 * Freezing, and coming back.
 * Real: every stage of the dispatcher, the codec. Doubled: the log (in memory), PostgreSQL (in memory), the workers (their
 * status records), time. Asserted: what stands in the log, in which dedupe space.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import { Harness } from '../../test/dispatcher-harness.js';
import { offsetsOf, sentTo, upTo } from '../../test/sent.js';

let posthorn: Harness;
beforeEach(async () => {
  posthorn = await Harness.open();
  await posthorn.tenant();
  posthorn.workersTell();
});

const of = (endpointId: string) => sentTo(posthorn, endpointId);

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

  it('that is paused again while it catches up gets a new run: workers need not remember the old one', async () => {
    await posthorn.endpoint('ep_1');
    await posthorn.start();
    await posthorn.endpoint('ep_1', { state: 'paused' });
    await posthorn.time.advance(1_000);
    await posthorn.events(2_000);
    await posthorn.time.advance(1_000);
    await posthorn.endpoint('ep_1');
    await posthorn.time.advance(600);
    await posthorn.endpoint('ep_1', { state: 'paused' });
    await posthorn.time.advance(2_000);
    const [row] = [...posthorn.cursors.rowsOf(0).values()];
    expect(posthorn.cursors.rowsOf(0).size).toBe(1);
    expect(row?.position).toBe(of('ep_1').length);
    const runs = of('ep_1').map(({ space }) => space);
    expect(runs).not.toContain(row?.run);
    expect(posthorn.ends().map(({ space }) => space)).toContain(runs[0]);
    await posthorn.endpoint('ep_1');
    await posthorn.time.advance(5_000);
    expect(offsetsOf(of('ep_1'))).toEqual(upTo(2_000));
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
