// Real: threads, their ending, QuickJS. What code may do within a machine is in machine.spec.ts.
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { openSandbox, SandboxFull, type Sandbox, type SandboxOptions, type SandboxResult } from './index.js';
import { sandboxLimits } from './sandbox-job.js';

let sandbox: Sandbox | undefined;
const open = (options: Partial<SandboxOptions> = {}): Sandbox => {
  sandbox = openSandbox({ threads: 2, ...options });
  return sandbox;
};
afterEach(() => sandbox?.close());

const input = {
  eventType: 'task.created',
  eventId: 'e-1',
  time: Date.parse('2026-03-04T05:06:07.089Z'),
  payload: '{"id":1}',
  headers: { 'content-type': 'application/json' },
  attributes: { id: 'e-1', source: '/tasks', type: 'task.created' },
};
const handler = (body: string): string => `function handler(webhook) { ${body} }`;
const jobOf = (transformationId: string, code: string, changes: Partial<typeof input> = {}, version = 1) => ({
  transformationId,
  version,
  code,
  input: { ...input, ...changes },
});
/** A native loop that never asks whether it may go on. */
const stuck = handler('Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)');
const good = handler('webhook.payload.ok = true');
const done = { kind: 'done', payload: '{"id":1,"ok":true}' };
const payloadOf = (result: SandboxResult): unknown => {
  if (result.kind !== 'done') throw new Error(result.message);
  return JSON.parse(result.payload);
};

describe('a sandbox', () => {
  it('runs jobs in their order, each version with its own code', async () => {
    const box = open();
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        box.run(
          jobOf('tr_1', handler(`return { payload: [${i % 3}, webhook.payload] }`), { payload: String(i) }, i % 3),
        ),
      ),
    );
    expect(results.map(payloadOf)).toEqual(Array.from({ length: 50 }, (_, i) => [i % 3, i]));
  });

  it("has no clock but the event's, in UTC whatever the host has", async () => {
    const before = process.env['TZ'];
    onTestFinished(() => {
      process.env['TZ'] = before ?? 'UTC';
    });
    process.env['TZ'] = 'America/New_York';
    expect(new Date(0).getTimezoneOffset()).toBe(300);
    const box = open({ threads: 1 });
    const code = `const loaded = Date.now(); ${handler(`
      const before = Date.now(); for (let i = 0; i < 1e5; i += 1);
      return { payload: [loaded, before === Date.now(), new Date(), new Date().constructor.now(), Date().slice(0, 24),
        new Date(2026, 0, 1), new Date().getTimezoneOffset(), new Date('2026-07-01T00:00:00').toISOString()] }`)}`;
    expect(payloadOf(await box.run(jobOf('tr_1', code)))).toEqual([
      0,
      true,
      '2026-03-04T05:06:07.089Z',
      input.time,
      'Wed Mar 04 2026 05:06:07',
      '2026-01-01T00:00:00.000Z',
      0,
      '2026-07-01T00:00:00.000Z',
    ]);
    expect(payloadOf(await box.run(jobOf('tr_1', code, { time: 1_000 })))).toEqual(
      expect.arrayContaining([1_000, '1970-01-01T00:00:01.000Z']),
    );
  });

  it("has randomness of the event's id alone", async () => {
    const code = handler('return { payload: Math.random() }');
    const box = open();
    const [a, again, other, elsewhere] = await Promise.all([
      box.run(jobOf('tr_1', code)),
      box.run(jobOf('tr_1', code)),
      box.run(jobOf('tr_1', code, { eventId: 'e-2' })),
      box.run(jobOf('tr_2', code)),
    ]);
    expect(again).toMatchObject({ payload: a.kind === 'done' ? a.payload : '' });
    expect(elsewhere).toMatchObject({ payload: a.kind === 'done' ? a.payload : '' });
    expect(payloadOf(other)).not.toBe(payloadOf(a));
  });

  it('charges what was used', async () => {
    const box = open({ threads: 1, limits: { runMs: 30 } });
    const loop = await box.run(jobOf('tr_1', handler('for (;;);')));
    expect(loop).toMatchObject({ kind: 'failed', code: 'timeout', message: 'it ran for more than 30 ms' });
    expect(loop.cpuMs).toBeGreaterThanOrEqual(30);
  });

  it('checks code without calling its handler', async () => {
    const box = open({ threads: 1 });
    expect(await box.check(handler('throw 1'))).toEqual({ kind: 'fits' });
    expect(await box.check('\nfunction handler( {')).toMatchObject({ kind: 'failed', code: 'syntax', line: 2 });
    expect(await box.check('const x = 1')).toMatchObject({ kind: 'failed', code: 'no-handler' });
    expect(await box.check('for (;;);')).toMatchObject({ kind: 'failed', code: 'timeout' });
  });

  it('forgets what it is told to', async () => {
    const box = open({ threads: 1 });
    expect(payloadOf(await box.run(jobOf('tr_1', handler('return { payload: 1 }'))))).toBe(1);
    // The same id and version are the same code, until then.
    expect(payloadOf(await box.run(jobOf('tr_1', handler('return { payload: 2 }'))))).toBe(1);
    box.forget('tr_1');
    expect(payloadOf(await box.run(jobOf('tr_1', handler('return { payload: 2 }'))))).toBe(2);
  });

  it.each([
    ['nearly all of its memory', 'for (let i = 0; i < 13; i += 1) all.push(new Uint8Array(1e6))', 'done'],
    ['more than it may', 'for (;;) all.push(new Uint8Array(1e6))', 'failed'],
  ])('keeps what is loaded of others when one uses %s', async (_what, body, kind) => {
    const box = open({ threads: 1 });
    const kept = (payload: number) => box.run(jobOf('tr_1', handler(`return { payload: ${payload} }`)));
    expect(payloadOf(await kept(1))).toBe(1);
    const large = await box.run(jobOf('tr_2', handler(`const all = []; ${body}`)));
    expect(large.kind).toBe(kind);
    // The same id and version are the same code, as long as it is kept.
    expect(payloadOf(await kept(2))).toBe(1);
  });

  it('loads again what it had no room to keep', async () => {
    const box = open({ threads: 1, imageBytes: 1 });
    for (const id of ['tr_1', 'tr_2', 'tr_1']) expect(await box.run(jobOf(id, good))).toMatchObject(done);
  });

  it('refuses what does not fit into its queue, and says when there is room', async () => {
    const box = open({ threads: 1, maxQueued: 4 });
    const runs = Array.from({ length: 5 }, (_, i) => box.run(jobOf(`tr_${i}`, good)));
    expect(box.stats()).toMatchObject({ queued: 4, busy: 1 });
    await expect(box.run(jobOf('tr_9', good))).rejects.toBeInstanceOf(SandboxFull);
    await box.room();
    expect(box.stats().queued).toBeLessThanOrEqual(2);
    expect(await Promise.all(runs)).toMatchObject(runs.map(() => done));
    expect(box.stats()).toEqual({ queued: 0, busy: 0, ended: 0 });
  });

  it('refuses none of those who have asked for room, however many ask at once', async () => {
    const box = open({ threads: 1, maxQueued: 100 });
    let longest = 0;
    const runs = Array.from({ length: 250 }, async (_, i) => {
      await box.room();
      const run = box.run(jobOf(`tr_${i % 3}`, good));
      longest = Math.max(longest, box.stats().queued);
      return run;
    });
    expect(await Promise.all(runs)).toMatchObject(runs.map(() => done));
    expect(longest).toBeLessThanOrEqual(51);
  });

  it('rejects what is left when it is closed', async () => {
    const box = open({ threads: 1 });
    const runs = [jobOf('tr_1', stuck), jobOf('tr_2', good)].map((job) => box.run(job));
    const outcomes = Promise.allSettled(runs);
    await box.close();
    expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await expect(box.run(jobOf('tr_1', good))).rejects.toThrow('closed');
  });
});

describe('what cannot be interrupted', () => {
  it.each([
    ['a native loop', stuck],
    ['one outside of the handler', `Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1); ${good}`],
    ['arithmetic', handler('let n = 3n; for (let i = 0; i < 40; i += 1) n *= n; return { payload: String(n) }')],
  ])('is ended with its thread: %s', async (_what, code) => {
    const box = open({ threads: 1 });
    expect(await box.run(jobOf('tr_1', code))).toMatchObject({
      kind: 'failed',
      code: expect.stringMatching(/timeout|memory/) as unknown,
    });
    expect(await box.run(jobOf('tr_1', good, {}, 2))).toMatchObject(done);
    expect(box.stats()).toMatchObject({ queued: 0, busy: 0 });
  });

  it('takes only what ran with it: what waited behind it runs elsewhere, in its order', async () => {
    const box = open({ threads: 1 });
    const code = handler(
      `if (webhook.payload === 3) ${stuck.slice(stuck.indexOf('{'))} return { payload: webhook.payload }`,
    );
    const results = await Promise.all(
      [1, 2, 3, 4, 5].map((payload) => box.run(jobOf('tr_1', code, { payload: String(payload) }))),
    );
    expect(results).toMatchObject([
      { payload: '1' },
      { payload: '2' },
      { code: 'timeout', message: expect.stringContaining('had to be ended') as unknown },
      { payload: '4' },
      { payload: '5' },
    ]);
    // What it was allowed, and what its thread's successor takes to start.
    expect(results[2]?.cpuMs).toBeGreaterThan(sandboxLimits.runMs + sandboxLimits.graceMs);
    expect(box.stats().ended).toBe(1);
  });
});

it('ends no thread that goes on while the caller was too busy to hear of it', async () => {
  const box = open({ threads: 1, limits: { runMs: 1_000, graceMs: 0 } });
  await box.run(jobOf('tr_1', good));
  const code = handler('for (let i = 0; i < 300000; i += 1); webhook.payload.ok = true');
  const runs = Array.from({ length: 16 }, () => box.run(jobOf('tr_2', code)));
  const until = performance.now() + 1_600;
  await new Promise((resolve) => setImmediate(resolve));
  while (performance.now() < until);
  expect(await Promise.all(runs)).toMatchObject(runs.map(() => done));
  expect(box.stats().ended).toBe(0);
});

describe('fairness', () => {
  it('lets others run while one hangs: a transformation has one thread at most', async () => {
    const box = open({ threads: 2, limits: { graceMs: 5_000 } });
    const hanging = [1, 2, 3].map(() => box.run(jobOf('tr_a', stuck)));
    const settled = Promise.allSettled(hanging);
    const others = Array.from({ length: 60 }, (_, i) => box.run(jobOf(`tr_b${i % 6}`, good)));
    expect(await Promise.all(others)).toMatchObject(others.map(() => done));
    expect(box.stats()).toEqual({ busy: 1, queued: 2, ended: 0 });
    await box.close();
    expect((await settled).every(({ status }) => status === 'rejected')).toBe(true);
  });

  it('lets a flood of one delay another by no more than a turn', async () => {
    const box = open({ threads: 1 });
    const ended: string[] = [];
    const note = (id: string) => box.run(jobOf(id, good)).then(() => ended.push(id));
    const all = [...Array.from({ length: 200 }, () => note('tr_flood')), note('tr_small')];
    await Promise.all(all);
    expect(ended.indexOf('tr_small')).toBeLessThanOrEqual(32);
  });
});
