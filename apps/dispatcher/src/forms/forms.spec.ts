/**
 * What endpoints get of an event: versions, filters, formats, transformations. A whole dispatcher over an in-memory log and
 * registry; real: filters, schemas. Doubled: the sandbox, by functions.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import type { SandboxJob, SandboxResult } from '#libs/sandbox';
import {
  assignee,
  bodiesOf,
  inNewest,
  priority,
  registerVersions,
  runnerOf,
  taskUpdated,
} from '../../test/content-world.js';
import { Harness } from '../../test/dispatcher-harness.js';
import type { TransformationRunner } from './transformations.js';

let posthorn: Harness;
beforeEach(async () => {
  posthorn = await Harness.open();
  await posthorn.tenant('acme');
});

const registerThreeVersions = (): void => registerVersions(posthorn);
const bodies = (): Record<string, unknown[]> => bodiesOf(posthorn);
const newest = (value: { readonly [name: string]: string | null }): Promise<Buffer> => inNewest(posthorn, value);

describe('versions', () => {
  const data = { format: 'data', latestByDefault: false } as const;

  it('reach each endpoint in the one that it has pinned, whichever they were written in', async () => {
    registerThreeVersions();
    await posthorn.endpoint('ep_1', { ...data, versions: { 'task.updated': 1 } });
    await posthorn.endpoint('ep_2', { ...data, versions: { 'task.updated': 2 } });
    await posthorn.endpoint('ep_3', { ...data, versions: { 'task.updated': 3 } });
    await posthorn.endpoint('ep_latest', { ...data, versions: { 'task.updated': 0 } });
    await posthorn.endpoint('ep_newer', { ...data, latestByDefault: true });
    await posthorn.endpoint('ep_first', data);
    await posthorn.start();
    await posthorn.event({ value: await newest({ title: 'a', priority: 'high', assignee: 'ada' }) });
    await posthorn.event({ value: posthorn.avro('old') });
    await posthorn.time.settle();
    const [one, two, three] = [
      [{ title: 'a' }, { title: 'old' }],
      [
        { title: 'a', priority: 'high' },
        { title: 'old', priority: 'normal' },
      ],
      [
        { title: 'a', priority: 'high', assignee: 'ada' },
        { title: 'old', priority: 'normal', assignee: null },
      ],
    ];
    expect(bodies()).toEqual({ ep_1: one, ep_first: one, ep_2: two, ep_3: three, ep_latest: three, ep_newer: three });
  });

  it('that were registered after the list was read are looked for before anybody is told that there is none', async () => {
    await posthorn.endpoint('ep_1', { ...data, versions: { 'task.updated': 1 } });
    await posthorn.start();
    await posthorn.event();
    await posthorn.time.settle();
    await posthorn.time.advance(11_000);
    registerThreeVersions();
    await posthorn.endpoint('ep_2', { ...data, versions: { 'task.updated': 2 } });
    await posthorn.time.settle();
    await posthorn.event({ value: posthorn.avro('now') });
    await posthorn.time.advance(100);
    expect(bodies()['ep_2']).toEqual([{ title: 'now', priority: 'normal' }]);
  });

  it('that do not exist are a dead letter of that endpoint alone, in its order', async () => {
    await posthorn.endpoint('ep_1', { ...data, versions: { 'task.updated': 1 } });
    await posthorn.endpoint('ep_9', { ...data, versions: { 'task.updated': 9 } });
    await posthorn.start();
    await posthorn.event();
    await posthorn.time.settle();
    expect(posthorn.deliveries()).toMatchObject([
      { endpointId: 'ep_1', renderError: null },
      { endpointId: 'ep_9', body: null, renderKind: 'version', renderError: expect.stringContaining('version 9') },
    ]);
  });

  it('wait for a registry that is away', async () => {
    registerThreeVersions();
    await posthorn.endpoint('ep_1', { ...data, versions: { 'task.updated': 1 } });
    const { dispatcher } = await posthorn.start();
    await posthorn.event();
    await posthorn.time.settle();
    await posthorn.time.advance(11_000);
    posthorn.registry.available = false;
    await posthorn.endpoint('ep_4', { ...data, versions: { 'task.updated': 4 } });
    await posthorn.time.settle();
    await posthorn.event();
    await posthorn.time.advance(1_000);
    expect(bodies()['ep_1']).toHaveLength(1);
    expect(() => dispatcher.check()).toThrow('events cannot be rendered yet');
    posthorn.registry.available = true;
    posthorn.registry.register('task.updated', taskUpdated(priority, assignee, { ...priority, name: 'size' }));
    await posthorn.time.advance(6_000);
    expect(bodies()['ep_4']).toMatchObject([{ size: 'normal' }]);
    expect(bodies()['ep_1']).toHaveLength(2);
  });
});

describe('filters', () => {
  const filtered = (...filters: object[]) => ({ filters: JSON.stringify(filters), format: 'data' }) as const;

  it('let through what matches, by attributes and by data', async () => {
    registerThreeVersions();
    await posthorn.endpoint('ep_high', filtered({ cel: 'data.priority == "high" && data.assignee != null' }));
    await posthorn.endpoint('ep_subject', filtered({ prefix: { subject: 'task/' } }));
    await posthorn.endpoint('ep_not', filtered({ not: { exact: { subject: 'task/1' } } }));
    await posthorn.start();
    await posthorn.event({ subject: 'task/1', value: await newest({ title: 'a', priority: 'high', assignee: 'ada' }) });
    await posthorn.event({ subject: 'x', value: await newest({ title: 'b', priority: 'high', assignee: null }) });
    await posthorn.event({ subject: 'task/2', value: await newest({ title: 'c', priority: 'low', assignee: 'bob' }) });
    await posthorn.time.settle();
    const titles = Object.entries(bodies()).map(([id, all]) => [
      id,
      all.map((one) => (one as { title: string }).title),
    ]);
    expect(Object.fromEntries(titles)).toEqual({ ep_high: ['a'], ep_subject: ['a', 'c'], ep_not: ['b', 'c'] });
  });

  it('see the data of the version that their endpoint gets', async () => {
    registerThreeVersions();
    const normal = filtered({ cel: 'data.priority == "normal"' });
    await posthorn.endpoint('ep_1', { ...normal, versions: { 'task.updated': 1 } });
    await posthorn.endpoint('ep_2', { ...normal, versions: { 'task.updated': 2 } });
    const { counts } = await posthorn.start();
    await posthorn.event({ value: posthorn.avro('old') });
    await posthorn.time.settle();
    expect(bodies()).toEqual({ ep_2: [{ title: 'old', priority: 'normal' }] });
    // There is no such field in the first version, which the filter does not allow for.
    expect(counts.faults).toEqual(['filter']);
  });

  it('that fail match nothing, and are counted and told', async () => {
    await posthorn.endpoint('ep_1', filtered({ cel: 'data.title.size() > 0 && data.missing.size() > 0' }));
    await posthorn.endpoint('ep_2', filtered({ cel: 'data.title == "Task 2"' }));
    const { counts, lines } = await posthorn.start();
    await posthorn.events(3);
    await posthorn.time.advance(6_000);
    expect(lines.filter((line) => line.includes('endpoints have faults'))).toHaveLength(1);
    expect(Object.keys(bodies())).toEqual(['ep_2']);
    expect(counts.faults).toEqual(['filter', 'filter', 'filter']);
    expect(posthorn.faults.noted).toEqual([
      { endpointId: 'ep_1', kind: 'filter', count: 3, lastAt: expect.any(Number), lastDetail: expect.any(String) },
    ]);
  });

  it('change with the configuration', async () => {
    await posthorn.endpoint('ep_1', filtered({ exact: { subject: 'a' } }));
    await posthorn.start();
    await posthorn.event({ subject: 'b' });
    await posthorn.time.settle();
    await posthorn.endpoint('ep_1', filtered({ exact: { subject: 'b' } }));
    await posthorn.time.settle();
    await posthorn.event({ subject: 'b' });
    await posthorn.event({ subject: 'a' });
    await posthorn.time.settle();
    expect(posthorn.deliveries().map(({ sourceOffset }) => sourceOffset)).toEqual([1]);
  });
});

describe('formats', () => {
  it('are what each endpoint asks for', async () => {
    for (const format of ['structured', 'binary', 'standard', 'data'] as const)
      await posthorn.endpoint(`ep_${format}`, { format });
    await posthorn.start();
    await posthorn.event({ id: 'e-1', subject: 'a b', headers: { ce_time: '2026-01-02T03:04:05Z' } });
    await posthorn.time.settle();
    const [binary, data, standard, structured] = posthorn
      .deliveries()
      .toSorted((a, b) => (a.endpointId < b.endpointId ? -1 : 1));
    const json = { title: 'Task 1' };
    expect(binary?.headers).toMatchObject({ 'ce-id': 'e-1', 'ce-type': 'task.updated', 'ce-subject': 'a%20b' });
    expect(bodies()).toMatchObject({
      ep_binary: [json],
      ep_data: [json],
      ep_standard: [{ type: 'task.updated', timestamp: '2026-01-02T03:04:05Z', data: json }],
      ep_structured: [{ specversion: '1.0', id: 'e-1', subject: 'a b', data: json }],
    });
    expect([binary, data, standard].map((one) => one?.contentType)).toEqual(Array(3).fill('application/json'));
    expect(structured?.contentType).toBe('application/cloudevents+json; charset=utf-8');
    expect([data, standard, structured].map((one) => one?.headers)).toEqual([{}, {}, {}]);
  });
});

describe('transformations', () => {
  const through = { format: 'data', transformationId: 'tr_1' } as const;

  it('change what is sent, once for all endpoints that agree', async () => {
    await posthorn.transformation('tr_1', { version: 4, code: 'shout' });
    await posthorn.endpoint('ep_1', through);
    await posthorn.endpoint('ep_2', through);
    await posthorn.endpoint('ep_3', { ...through, format: 'standard' });
    const runner = runnerOf({
      shout: ({ input }) => ({
        payload: input.payload.toUpperCase(),
        headers: { ...input.headers, 'x-loud': 'yes', 'content-type': 'application/x-loud' },
      }),
    });
    await posthorn.start({}, runner);
    await posthorn.event({ id: 'e-1', subject: 's', headers: { ce_time: '2026-01-02T03:04:05Z', ce_team: 'red' } });
    await posthorn.time.settle();
    expect(runner.jobs).toHaveLength(2);
    expect(runner.jobs[0]).toMatchObject({
      transformationId: 'tr_1',
      version: 4,
      input: {
        eventType: 'task.updated',
        eventId: 'e-1',
        time: Date.parse('2026-01-02T03:04:05Z'),
        payload: '{"title":"Task 1"}',
        attributes: { id: 'e-1', source: '/projects', type: 'task.updated', subject: 's', team: 'red' },
      },
    });
    expect(posthorn.deliveries()).toMatchObject([
      { endpointId: 'ep_1', contentType: 'application/x-loud', headers: { 'x-loud': 'yes' } },
      { endpointId: 'ep_2' },
      { endpointId: 'ep_3' },
    ]);
    expect(bodies()['ep_2']).toEqual([{ TITLE: 'TASK 1' }]);
  });

  it('cancel a delivery, which is counted', async () => {
    await posthorn.transformation('tr_1', { code: 'cancel' });
    await posthorn.endpoint('ep_1', through);
    await posthorn.endpoint('ep_2');
    const { counts } = await posthorn.start({}, runnerOf({ cancel: () => ({ cancelled: true }) }));
    await posthorn.events(2);
    await posthorn.time.settle();
    expect(Object.keys(bodies())).toEqual(['ep_2']);
    expect(counts).toMatchObject({ faults: ['cancelled', 'cancelled'], dispatched: 2 });
  });

  it('that fail are a delivery in its place, with what they were given', async () => {
    await posthorn.transformation('tr_1', { code: 'fail' });
    await posthorn.endpoint('ep_1', through);
    const fail = ({ input }: SandboxJob): Partial<SandboxResult> =>
      input.payload.includes('Task 2') ? { kind: 'failed', code: 'threw', message: 'no', line: 3 } : {};
    const { counts } = await posthorn.start({}, runnerOf({ fail }));
    await posthorn.events(3);
    await posthorn.time.settle();
    expect(posthorn.deliveries().map(({ renderKind, renderError }) => [renderKind, renderError])).toEqual([
      [null, null],
      ['transformation', 'threw: no (line 3)'],
      [null, null],
    ]);
    expect(bodies()['ep_1']).toEqual([{ title: 'Task 1' }, { title: 'Task 2' }, { title: 'Task 3' }]);
    expect(counts.faults).toEqual(['transformation']);
  });

  it('of another tenant, or that do not exist, are no right to its code', async () => {
    await posthorn.transformation('tr_1', { tenantId: 'other' });
    await posthorn.endpoint('ep_1', through);
    await posthorn.endpoint('ep_2', { transformationId: 'tr_2' });
    const runner = runnerOf({});
    await posthorn.start({}, runner);
    await posthorn.event();
    await posthorn.time.settle();
    expect(runner.jobs).toEqual([]);
    expect(posthorn.deliveries().map(({ renderError }) => renderError)).toEqual([
      'there is no transformation tr_1',
      'there is no transformation tr_2',
    ]);
  });

  it('are those of the configuration as it is by then', async () => {
    await posthorn.transformation('tr_1', { version: 1, code: 'one' });
    await posthorn.endpoint('ep_1', through);
    const forgotten: string[] = [];
    const runner = { ...runnerOf({ two: () => ({ payload: '2' }) }), forget: (id: string) => forgotten.push(id) };
    await posthorn.start({}, runner);
    await posthorn.event();
    await posthorn.time.settle();
    await posthorn.transformation('tr_1', { version: 2, code: 'two' });
    await posthorn.time.settle();
    await posthorn.event();
    await posthorn.time.settle();
    expect(bodies()['ep_1']).toEqual([{ title: 'Task 1' }, 2]);
    expect(forgotten).toEqual(['tr_1']);
  });

  it('run beside each other, and what is appended keeps its order', async () => {
    await posthorn.transformation('tr_1');
    await posthorn.endpoint('ep_1', through);
    const waiting: ((result: SandboxResult) => void)[] = [];
    const base = runnerOf({});
    const run: TransformationRunner['run'] = () => new Promise((resolve) => waiting.push(resolve));
    await posthorn.events(4);
    await posthorn.start({}, { ...base, run });
    await posthorn.time.settle();
    expect(waiting).toHaveLength(4);
    for (const [nth, resolve] of [...waiting.entries()].toReversed()) {
      resolve({ kind: 'done', payload: String(nth), headers: {}, cancelled: false, logs: [], cpuMs: 1 });
      await posthorn.time.settle();
    }
    expect(bodies()['ep_1']).toEqual([0, 1, 2, 3]);
  });

  it('that cannot be run at all hold the partition until they can', async () => {
    await posthorn.transformation('tr_1');
    await posthorn.endpoint('ep_1', through);
    const runner = runnerOf({});
    let isFull = true;
    const run: TransformationRunner['run'] = (job) =>
      isFull ? Promise.reject(new Error('10000 jobs wait for the sandbox')) : runner.run(job);
    const { dispatcher } = await posthorn.start({}, { ...runner, run });
    await posthorn.events(2);
    await posthorn.time.advance(1_000);
    expect(() => dispatcher.check()).toThrow('events cannot be rendered yet: 10000 jobs wait');
    isFull = false;
    await posthorn.time.advance(5_000);
    expect(bodies()['ep_1']).toEqual([{ title: 'Task 1' }, { title: 'Task 2' }]);
  });

  it('of very many endpoints of one event are run in parts', async () => {
    for (let n = 0; n < 150; n += 1) {
      await posthorn.transformation(`tr_${n}`);
      await posthorn.endpoint(`ep_${n}`, { transformationId: `tr_${n}` });
    }
    const runner = runnerOf({});
    const waiting: (() => void)[] = [];
    let most = 0;
    const run: TransformationRunner['run'] = async (job) => {
      await new Promise<void>((resolve) => waiting.push(resolve));
      return runner.run(job);
    };
    await posthorn.start({}, { ...runner, run });
    await posthorn.event();
    for (let round = 0; round < 5; round += 1) {
      await posthorn.time.settle();
      most = Math.max(most, waiting.length);
      for (const go of waiting.splice(0)) go();
    }
    await posthorn.time.settle();
    expect(most).toBe(64);
    expect(Object.keys(bodies())).toHaveLength(150);
  });
});
