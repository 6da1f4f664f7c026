/**
 * Endpoints that begin in the past; owners that were superseded.
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

  it('whose endpoint is deleted before its cursors are looked up is ended all the same', async () => {
    await posthorn.start();
    posthorn.cursors.backfill(0, 'ep_1', 'b_1', 0);
    posthorn.cursors.backfill(1, 'ep_1', 'b_1', 0);
    posthorn.cursors.isAway = true;
    await posthorn.endpoint('ep_1', { backfill: 'b_1' });
    await posthorn.deleteEndpoint('ep_1');
    await posthorn.time.advance(1_000);
    posthorn.cursors.isAway = false;
    await posthorn.time.advance(5_000);
    expect([...posthorn.cursors.rowsOf(0).values(), ...posthorn.cursors.rowsOf(1).values()]).toEqual([]);
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
