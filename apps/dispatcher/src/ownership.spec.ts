/**
 * Who may dispatch, from where, and how far. Real: a whole dispatcher, several of them at a time. Doubled: log, registry,
 * time; processes are killed, answers lost, leases run out. Asserted: what stands in the log, and the commits.
 */
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { SendError } from '#libs/kafka';
import { Harness, type TestProcess } from '../test/dispatcher-harness.js';

let posthorn: Harness;
beforeEach(async () => {
  posthorn = await Harness.open();
  await posthorn.tenant();
});

const unique = (ids: readonly string[]): readonly string[] => [...new Set(ids)].toSorted();
const offsetsOf = (of: Harness): readonly number[] => of.deliveries().map(({ sourceOffset }) => sourceOffset);

describe('a crash', () => {
  it('between append and commit makes the next owner repeat the same deliveries', async () => {
    await posthorn.endpoint('ep_1');
    await posthorn.endpoint('ep_2');
    const first = await posthorn.start();
    await posthorn.events(3);
    await posthorn.time.advance(300);
    first.view.commitsRefused = true;
    await posthorn.events(4);
    await posthorn.time.advance(300);
    const before = posthorn.deliveryIds();
    await first.view.kill();
    await posthorn.endpoint('ep_3');
    const second = await posthorn.start();
    await posthorn.event();
    await posthorn.time.advance(300);
    const again = ['ep_1', 'ep_2', 'ep_3'].flatMap((id) =>
      posthorn
        .deliveries()
        .filter(({ endpointId }) => endpointId === id)
        .slice(id === 'ep_3' ? 0 : 7),
    );
    // Committed was 3: the four events after it come again, with the same ids, and with the floor that is known.
    expect(unique(before).length).toBe(2 * 7);
    expect(
      unique(
        again.filter(({ endpointId }) => endpointId !== 'ep_3').map((one) => `${one.endpointId} ${one.sourceOffset}`),
      ),
    ).toEqual(unique(['ep_1', 'ep_2'].flatMap((endpoint) => [3, 4, 5, 6, 7].map((offset) => `${endpoint} ${offset}`))));
    expect(new Set(again.map(({ floor }) => floor))).toEqual(new Set([3]));
    expect(unique(posthorn.deliveryIds()).length).toBe(2 * 8 + 5);
    expect(second.counts.repeats).toBe(0);
  });

  it('before the acknowledgement of an append loses nothing', async () => {
    await posthorn.endpoint('ep_1');
    const first = await posthorn.start();
    first.view.answersLost = true;
    await posthorn.events(5);
    await posthorn.time.advance(300);
    await first.view.kill();
    await posthorn.start();
    await posthorn.time.advance(300);
    expect(unique(posthorn.deliveryIds())).toHaveLength(5);
    expect(posthorn.deliveries().map(({ floor }) => floor)).not.toContain(5);
  });

  it('3. any number of crashes and hand-overs give each delivery its one id, in order', async () => {
    const step = fc.constantFrom(
      'events',
      'events',
      'time',
      'kill',
      'leave',
      'join',
      'lose-answers',
      'refuse-commits',
      'fail-send',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(step, fc.nat(20)), { minLength: 5, maxLength: 25 }), async (steps) => {
        const run = await Harness.open();
        await run.tenant();
        await run.endpoint('ep_1');
        await run.endpoint('ep_2');
        let running: TestProcess[] = [await run.start({ windowRecords: 10 })];
        let events = 0;
        for (const [what, by] of steps) {
          const one = running[by % Math.max(1, running.length)];
          if (what === 'events') {
            await run.events(by, { partition: by % 2 });
            events += by;
          } else if (what === 'time') await run.time.advance(by * 30);
          else if (what === 'join') running.push(await run.start({ windowRecords: 10 }));
          else if (one !== undefined) {
            if (what === 'lose-answers') one.view.answersLost = true;
            if (what === 'refuse-commits') one.view.commitsRefused = true;
            if (what === 'fail-send') one.view.sendFailures.push(new SendError('timeout', 'no answer'));
            if (what === 'kill') await run.time.during(one.view.kill());
            if (what === 'leave') await run.time.during(one.dispatcher.stop());
            if (what === 'kill' || what === 'leave') running = running.filter((other) => other !== one);
          }
        }
        for (const one of running) await run.time.during(one.view.kill());
        await run.start({ windowRecords: 10 });
        await run.time.advance(10_000);
        expect(unique(run.deliveryIds())).toHaveLength(2 * events);
        expect(run.rejected()).toEqual([]);
        for (const { sourceOffset, floor } of run.deliveries()) expect(sourceOffset - floor).toBeLessThan(10);
        for (const partition of [0, 1]) {
          // First appearances of one source partition are in order.
          for (const endpointId of ['ep_1', 'ep_2']) {
            const there = run
              .deliveries()
              .filter((one) => one.sourcePartition === partition && one.endpointId === endpointId)
              .map(({ sourceOffset }) => sourceOffset);
            const firsts = there.filter((offset, at) => there.indexOf(offset) === at);
            expect(firsts).toEqual(firsts.toSorted((a, b) => a - b));
          }
        }
      }),
      { numRuns: 30 },
    );
  }, 60_000);
});

describe('the window', () => {
  it('no more than W records are sent beyond the commit', async () => {
    await posthorn.endpoint('ep_1');
    const { view } = await posthorn.start({ windowRecords: 20 });
    view.commitsRefused = true;
    await posthorn.events(100);
    await posthorn.time.advance(2_000);
    expect(offsetsOf(posthorn)).toHaveLength(20);
    view.commitsRefused = false;
    await posthorn.time.advance(2_000);
    expect(offsetsOf(posthorn).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, offset) => offset));
    for (const { sourceOffset, floor } of posthorn.deliveries()) expect(sourceOffset - floor).toBeLessThan(20);
  });

  it('what cannot be sent yet stays in the log', async () => {
    await posthorn.endpoint('ep_1');
    const { view } = await posthorn.start({ windowRecords: 20 });
    view.commitsRefused = true;
    await posthorn.events(5_000);
    await posthorn.time.advance(1_000);
    expect(view.feedPauses).toBe(1);
    view.commitsRefused = false;
    for (let i = 0; i < 200 && offsetsOf(posthorn).length < 5_000; i += 1) await posthorn.time.advance(1_000);
    expect(offsetsOf(posthorn).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 5_000 }, (_, offset) => offset));
  });

  it('floors rise with the commits and never fall', async () => {
    await posthorn.endpoint('ep_1');
    await posthorn.start();
    for (let i = 0; i < 10; i += 1) {
      await posthorn.events(5);
      await posthorn.time.advance(250);
    }
    const floors = posthorn.deliveries().map(({ floor }) => floor);
    expect(floors).toEqual(floors.toSorted((a, b) => a - b));
    expect(floors.at(-1)).toBe(45);
  });
});

describe('appending', () => {
  it('repeats a failed send whole before the next one goes', async () => {
    await posthorn.endpoint('ep_1');
    const { view, dispatcher } = await posthorn.start();
    view.sendFailures.push(new SendError('refused', 'no'), new SendError('timeout', 'no answer'));
    await posthorn.events(3);
    await posthorn.time.settle();
    await posthorn.events(3);
    expect(() => dispatcher.check()).toThrow('an append failed and is repeated');
    await posthorn.time.advance(2_000);
    expect(offsetsOf(posthorn)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(() => dispatcher.check()).not.toThrow();
  });

  it('goes on by itself after the brokers were away', async () => {
    await posthorn.endpoint('ep_1');
    await posthorn.start();
    await posthorn.events(2);
    await posthorn.time.settle();
    posthorn.log.setAvailable(false);
    const late = posthorn.events(2);
    await posthorn.time.advance(20_000);
    posthorn.log.setAvailable(true);
    await posthorn.time.advance(1_000);
    await late;
    await posthorn.time.advance(1_000);
    expect(offsetsOf(posthorn)).toEqual([0, 1, 2, 3]);
  });
});

describe('the lease', () => {
  it('when it has ended, nothing is appended or committed', async () => {
    await posthorn.endpoint('ep_1');
    const { view, dispatcher } = await posthorn.start();
    await posthorn.event();
    await posthorn.time.settle();
    view.membershipOf?.freeze();
    await posthorn.time.advance(7_000);
    await posthorn.events(3);
    await posthorn.time.advance(1_000);
    expect(offsetsOf(posthorn)).toEqual([0]);
    await view.membershipOf?.thaw();
    await posthorn.time.advance(1_000);
    // The heartbeats were heard of in time: the partition is still ours, and goes on.
    expect(offsetsOf(posthorn)).toEqual([0, 1, 2, 3]);
    expect(() => dispatcher.check()).not.toThrow();
  });

  it('what was handed to the sender before it ended is not written after', async () => {
    await posthorn.endpoint('ep_1');
    const late = await posthorn.start();
    const reached = Promise.withResolvers<void>();
    late.view.untilSent = reached.promise;
    await posthorn.events(3);
    await posthorn.time.settle();
    late.view.membershipOf?.freeze();
    await posthorn.time.advance(10_000);
    await late.view.membershipOf?.expire();
    await posthorn.start();
    await posthorn.time.advance(300);
    reached.resolve();
    await posthorn.time.advance(300);
    expect(offsetsOf(posthorn)).toEqual([0, 1, 2]);
  });

  it('a sleeper that wakes up after its partitions went to another appends nothing more', async () => {
    await posthorn.endpoint('ep_1');
    const sleeper = await posthorn.start();
    await posthorn.events(2);
    await posthorn.time.advance(300);
    sleeper.view.membershipOf?.freeze();
    await posthorn.time.advance(7_000);
    await posthorn.events(2);
    await posthorn.time.advance(3_000);
    await sleeper.view.membershipOf?.expire();
    const heir = await posthorn.start();
    await posthorn.time.advance(300);
    expect(offsetsOf(posthorn)).toEqual([0, 1, 2, 3]);
    await sleeper.view.membershipOf?.thaw();
    await posthorn.time.advance(300);
    await posthorn.events(4, { partition: 0 });
    await posthorn.events(4, { partition: 1 });
    await posthorn.time.advance(300);
    expect(posthorn.deliveryIds()).toHaveLength(12);
    expect(unique(posthorn.deliveryIds())).toHaveLength(12);
    expect(sleeper.counts.dispatched + heir.counts.dispatched).toBe(12);
  });
});

describe('hand-over', () => {
  it('a newcomer and a leaver cause no repeat: what was sent is committed before', async () => {
    await posthorn.endpoint('ep_1');
    const first = await posthorn.start();
    await posthorn.events(5, { partition: 0 });
    await posthorn.events(5, { partition: 1 });
    await posthorn.time.settle();
    const second = await posthorn.start();
    await posthorn.events(5, { partition: 0 });
    await posthorn.events(5, { partition: 1 });
    await posthorn.time.settle();
    await first.dispatcher.stop();
    await posthorn.events(5, { partition: 0 });
    await posthorn.events(5, { partition: 1 });
    await posthorn.time.advance(1_000);
    expect(posthorn.deliveryIds()).toHaveLength(30);
    expect(unique(posthorn.deliveryIds())).toHaveLength(30);
    expect(second.counts.dispatched).toBeGreaterThanOrEqual(15);
  });

  it('a stop commits what it has sent', async () => {
    await posthorn.endpoint('ep_1');
    const { dispatcher } = await posthorn.start();
    await posthorn.events(7);
    await posthorn.time.settle();
    await dispatcher.stop();
    expect((await posthorn.committed(0))?.offset).toBe(offsetsOf(posthorn).length);
  });
});
