/**
 * What a new owner of a source partition checks. Real: a whole dispatcher. Doubled: log, registry, time; the log is
 * replaced, truncated, or its commit set by a tool. Asserted: what is dispatched, and what is said.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import { encodeSourcePosition } from '#libs/core';
import { Harness, topics } from '../test/dispatcher-harness.js';

let posthorn: Harness;
beforeEach(async () => {
  posthorn = await Harness.open();
  await posthorn.tenant();
});

const offsetsOf = (of: Harness): readonly number[] => of.deliveries().map(({ sourceOffset }) => sourceOffset);

describe('a log that is not the one of the commit', () => {
  const dispatched = async (count: number): Promise<void> => {
    await posthorn.endpoint('ep_1');
    const { dispatcher } = await posthorn.start();
    await posthorn.events(count);
    await posthorn.time.settle();
    await dispatcher.stop();
  };
  const expectStopped = async (reason: string): Promise<void> => {
    const before = posthorn.deliveries().length;
    const { dispatcher, counts, lines } = await posthorn.start();
    await posthorn.event({ partition: 0 });
    await posthorn.event({ partition: 1 });
    await posthorn.time.advance(5_000);
    expect(posthorn.deliveries().slice(before)).toMatchObject([{ sourcePartition: 1 }]);
    expect(() => dispatcher.check()).toThrow(reason);
    expect(counts.stopped).toEqual([`${topics.events}-0`]);
    expect(lines.find((line) => line.includes('has stopped'))).toContain('posthorn incarnation open --partition 0');
    await dispatcher.stop();
  };

  it('another record before the commit stops the partition; others go on', async () => {
    await dispatched(3);
    posthorn.log.createTopic(topics.events, 2);
    await posthorn.events(5);
    await expectStopped('fingerprint-mismatch');
  });

  it('a commit beyond the end of the log stops the partition', async () => {
    await dispatched(3);
    posthorn.log.createTopic(topics.events, 2);
    await posthorn.events(1);
    await expectStopped('commit-outside-log');
  });

  it('a commit below the start of the log stops the partition', async () => {
    await dispatched(3);
    await posthorn.events(5);
    await posthorn.log.administration().deleteRecordsBefore([{ topic: topics.events, partition: 0, offset: 5 }]);
    await expectStopped('commit-outside-log');
  });

  it('a start of the log at the commit is no reason to stop', async () => {
    await dispatched(3);
    await posthorn.log.administration().deleteRecordsBefore([{ topic: topics.events, partition: 0, offset: 3 }]);
    await posthorn.start();
    await posthorn.event();
    await posthorn.time.advance(300);
    expect(offsetsOf(posthorn)).toEqual([0, 1, 2, 3]);
  });

  it('a new incarnation is part of every id after it', async () => {
    await dispatched(3);
    const tool = posthorn.log.membership({
      groupId: 't.dispatcher',
      topics: [topics.events],
      listener: {
        onGained: () => undefined,
        onLost: () => undefined,
        beforeJoin: () => Promise.resolve(),
        onFatal: () => undefined,
      },
    });
    await tool.join();
    const metadata = encodeSourcePosition({ incarnation: 1, fingerprint: null });
    await tool.commit([{ topic: topics.events, partition: 0, offset: 0, metadata }]);
    await tool.leave();
    await posthorn.start();
    await posthorn.time.advance(300);
    expect(posthorn.deliveryIds().slice(3)).toEqual(['ep_1.live.1.0.0', 'ep_1.live.1.0.1', 'ep_1.live.1.0.2']);
  });
});
