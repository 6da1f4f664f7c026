/**
 * What a customer sets holds up nobody else: code and filters that take long, at once or again and again, versions that come
 * while code runs, and configurations that cannot be used. A whole dispatcher over an in-memory log, as in forms.spec.ts.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import type { SandboxJob, SandboxResult } from '#libs/sandbox';
import { bodiesOf, registerVersions, runnerOf } from '../../test/content-world.js';
import { Harness } from '../../test/dispatcher-harness.js';
import type { TransformationRunner } from './transformations.js';

let posthorn: Harness;
beforeEach(async () => {
  posthorn = await Harness.open();
  await posthorn.tenant('acme');
});

const registerThreeVersions = (): void => registerVersions(posthorn);
const bodies = (): Record<string, unknown[]> => bodiesOf(posthorn);

describe('transformations that take too much', () => {
  const through = { format: 'data', transformationId: 'tr_1' } as const;

  it('are not run for a while when they exceed their limits again and again; a new version is', async () => {
    await posthorn.transformation('tr_1', { version: 1, code: 'loop' });
    await posthorn.endpoint('ep_1', through);
    const loop = () => ({ kind: 'failed', code: 'timeout', message: 'more than 50 ms', cpuMs: 1 }) as const;
    const runner = runnerOf({ loop });
    await posthorn.start({}, runner);
    for (let n = 0; n < 6; n += 1) {
      await posthorn.event();
      await posthorn.time.settle();
    }
    expect(runner.jobs).toHaveLength(3);
    expect(posthorn.deliveries().map(({ renderError }) => renderError)).toEqual([
      ...Array(3).fill('timeout: more than 50 ms'),
      ...Array(3).fill('not run: it exceeded its limits 3 times in a row'),
    ]);
    await posthorn.transformation('tr_1', { version: 2, code: 'mended' });
    await posthorn.time.settle();
    await posthorn.event();
    await posthorn.time.settle();
    expect(posthorn.deliveries().at(-1)).toMatchObject({ renderError: null });
  });

  it('have their endpoint frozen, and caught up within its share of time: nothing is lost, nobody else waits', async () => {
    posthorn.workersTell();
    await posthorn.transformation('tr_1', { code: 'slow' });
    await posthorn.endpoint('ep_slow', through);
    await posthorn.endpoint('ep_other', { format: 'data' });
    const runner = runnerOf({ slow: () => ({ cpuMs: 45 }) });
    const { counts } = await posthorn.start({}, runner);
    await posthorn.time.advance(1_000);
    for (let n = 0; n < 100; n += 1) {
      await posthorn.event();
      await posthorn.time.advance(50);
    }
    // In each of the two source partitions.
    expect(counts.frozen).toBe(2);
    const upToNow = runner.jobs.length;
    expect(upToNow).toBeLessThan(60);
    expect(bodies()['ep_other']).toHaveLength(100);
    await posthorn.time.advance(60_000);
    expect(counts.joined).toBeGreaterThan(0);
    const titles = bodies()['ep_slow']?.map((one) => (one as { title: string }).title);
    expect(titles).toEqual(Array.from({ length: 100 }, (_, n) => `Task ${n + 1}`));
  });
});

describe('nobody else waits:', () => {
  const through = { format: 'data', transformationId: 'tr_1' } as const;
  /** Each run takes that long, one after the other. */
  function slowRunner(ms: number): TransformationRunner & { runs: number } {
    let last: Promise<void> = Promise.resolve();
    const runner = {
      runs: 0,
      room: () => Promise.resolve(),
      forget: () => undefined,
      async run({ input }: SandboxJob): Promise<SandboxResult> {
        runner.runs += 1;
        const turn = last.then(() => new Promise<void>((resolve) => posthorn.time.schedule(ms, resolve)));
        last = turn;
        await turn;
        const { payload, headers } = input;
        return { kind: 'done', payload, headers, cancelled: false, logs: [], cpuMs: ms };
      },
    };
    return runner;
  }

  it('a version that is registered while a transformation runs is for the next event', async () => {
    await posthorn.transformation('tr_1');
    await posthorn.endpoint('ep_1', { ...through, latestByDefault: true });
    const { counts } = await posthorn.start({}, slowRunner(5));
    await posthorn.event();
    await posthorn.time.advance(31_000);
    registerThreeVersions();
    await posthorn.events(3);
    await posthorn.time.advance(12_000);
    expect(counts.stopped).toEqual([]);
    expect(bodies()['ep_1']).toHaveLength(4);
  });

  it('a tenant’s slow transformations are frozen in the middle of a batch, and the events of others go on', async () => {
    posthorn.workersTell();
    await posthorn.tenant('other');
    await posthorn.transformation('tr_1');
    await posthorn.endpoint('ep_slow', through);
    await posthorn.endpoint('ep_other', { tenantId: 'other', format: 'data' });
    for (let n = 0; n < 400; n += 1) await posthorn.event();
    await posthorn.event({ tenant: 'other' });
    const runner = slowRunner(49);
    const { counts } = await posthorn.start({}, runner);
    await posthorn.time.advance(6_000);
    // All of the batch would have taken 20 s.
    expect(bodies()['ep_other']).toHaveLength(1);
    expect(counts.frozen).toBeGreaterThan(0);
    expect(runner.runs).toBeLessThan(120);
    await posthorn.time.advance(300_000);
    expect(bodies()['ep_slow']).toHaveLength(400);
  });

  it('an endpoint that joins with slow transformations holds up the others for a small part of the time', async () => {
    posthorn.workersTell();
    await posthorn.tenant('other');
    await posthorn.transformation('tr_1');
    await posthorn.endpoint('ep_slow', { ...through, state: 'paused' });
    await posthorn.endpoint('ep_other', { tenantId: 'other', format: 'data' });
    const { dispatcher } = await posthorn.start({}, slowRunner(49));
    await posthorn.time.advance(1_000);
    for (let n = 0; n < 200; n += 1) await posthorn.event();
    await posthorn.time.advance(1_000);
    await posthorn.endpoint('ep_slow', through);
    let late = 0;
    for (let n = 0; n < 200; n += 1) {
      const before = bodies()['ep_other']?.length ?? 0;
      await posthorn.event({ tenant: 'other' });
      await posthorn.time.advance(100);
      if ((bodies()['ep_other']?.length ?? 0) === before) late += 1;
    }
    expect(() => dispatcher.check()).not.toThrow();
    expect(late).toBeLessThan(40);
    await posthorn.time.advance(300_000);
    expect(bodies()['ep_slow']).toHaveLength(200);
    expect(bodies()['ep_other']).toHaveLength(200);
  });

  it('a catch-up runs no more transformations at once than live dispatch does', async () => {
    posthorn.workersTell();
    for (let n = 0; n < 100; n += 1) {
      await posthorn.transformation(`tr_${n}`);
      await posthorn.endpoint(`ep_${n}`, { transformationId: `tr_${n}`, state: 'paused' });
    }
    const runner = runnerOf({});
    let [under, most] = [0, 0];
    const run: TransformationRunner['run'] = async (job) => {
      under += 1;
      most = Math.max(most, under);
      await new Promise<void>((resolve) => posthorn.time.schedule(1, resolve));
      under -= 1;
      return runner.run(job);
    };
    await posthorn.start({}, { ...runner, run });
    await posthorn.time.advance(1_000);
    await posthorn.events(3);
    await posthorn.time.advance(1_000);
    for (let n = 0; n < 100; n += 1) await posthorn.endpoint(`ep_${n}`, { transformationId: `tr_${n}` });
    await posthorn.time.advance(60_000);
    expect(Object.values(bodies()).map((all) => all.length)).toEqual(Array(100).fill(3));
    expect(most).toBeLessThanOrEqual(2 * 64);
  });

  it('filters that take long are charged to their endpoint, which is frozen, and others get their turn', async () => {
    posthorn.workersTell();
    const list = `[${Array.from({ length: 60 }, (_, n) => n).join(',')}]`;
    const cel = `${list}.all(x, ${list}.all(y, x + y < 200)) && data.title != ""`;
    await posthorn.endpoint('ep_1', { filters: JSON.stringify([{ cel }]), format: 'data' });
    await posthorn.endpoint('ep_2', { format: 'data' });
    const { counts } = await posthorn.start();
    await posthorn.time.advance(1_000);
    for (let n = 0; n < 700; n += 1) {
      await posthorn.event();
      await posthorn.time.advance(5);
    }
    await posthorn.time.advance(1_000);
    expect(counts.frozen).toBeGreaterThan(0);
    expect(bodies()['ep_2']).toHaveLength(700);
    await posthorn.time.advance(120_000);
    expect(bodies()['ep_1']).toHaveLength(700);
  });

  it('an endpoint whose filters cannot be read gets nothing unfiltered, and nothing is lost', async () => {
    posthorn.workersTell();
    await posthorn.endpoint('ep_1', { filters: '[{"of a later version":1}]', format: 'data' });
    await posthorn.endpoint('ep_2', { format: 'data' });
    const { lines } = await posthorn.start();
    await posthorn.time.advance(1_000);
    await posthorn.events(5);
    await posthorn.time.advance(5_000);
    expect(Object.keys(bodies())).toEqual(['ep_2']);
    expect(lines.some((line) => line.includes('cannot be used'))).toBe(true);
    await posthorn.endpoint('ep_1', { filters: '[{"exact":{"type":"task.updated"}}]', format: 'data' });
    await posthorn.time.advance(10_000);
    expect(bodies()['ep_1']).toHaveLength(5);
  });
});
