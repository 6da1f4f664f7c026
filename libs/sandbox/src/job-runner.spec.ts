// Doubled: the machine and the clock, so that what is charged is a count of what was done.
import { describe, expect, it } from 'vitest';
import { JobRunner } from './job-runner.js';
import type { Loaded } from './machine.js';
import { failed } from './machine-answer.js';
import { machineMemory, MemoryImage } from './memory-image.js';
import type { SandboxResult } from './sandbox-job.js';

const costs = { start: 1_000, load: 100, run: 10 };
const image = MemoryImage.of(machineMemory());
const input = { eventType: 't', eventId: 'e', time: 0, payload: '1', headers: {}, attributes: {} };
const code = (transformationId: string, text: string = 'good') => ({ transformationId, version: 1, code: text });

/** Code says what happens to the machine that loads or runs it. */
async function runner() {
  let clock = 0;
  const counts = { started: 0, loads: 0, runs: 0, steps: 0 };
  const start = () => {
    counts.started += 1;
    clock += costs.start;
    let isSpoilt = false;
    let loadedCode = '';
    return Promise.resolve({
      get isSpoilt() {
        return isSpoilt;
      },
      load(text: string): Loaded {
        counts.loads += 1;
        clock += costs.load;
        loadedCode = text;
        if (text === 'syntax') return { ...failed('syntax', 'no'), kind: 'failed' };
        if (text === 'spoils when loaded') isSpoilt = true;
        return { kind: 'loaded', image };
      },
      run() {
        counts.runs += 1;
        clock += costs.run;
        if (loadedCode === 'spoils') isSpoilt = true;
        return { kind: 'done', payload: '1', headers: {}, cancelled: false, logs: [] } as const;
      },
    });
  };
  const onStep = () => {
    counts.steps += 1;
  };
  const made = await JobRunner.start({ start, imageBytes: 2 ** 30, cpuMs: () => clock, onStep });
  const charged = async (id: string, text?: string) =>
    ((await made.work(code(id, text), input)) as SandboxResult).cpuMs;
  return { made, counts, charged };
}

describe('a job is charged for all that it causes', () => {
  it('loading, the first time, and each run', async () => {
    const { charged, counts } = await runner();
    expect([await charged('a'), await charged('a'), await charged('b'), await charged('a')]).toEqual([
      110, 10, 110, 10,
    ]);
    expect(counts).toEqual({ started: 1, loads: 2, runs: 4, steps: 6 });
  });

  it('a new machine, when it has spoilt the one that there was', async () => {
    const { charged, counts } = await runner();
    expect(await charged('a')).toBe(110);
    expect(await charged('b', 'spoils')).toBe(1_110);
    expect(await charged('c', 'spoils when loaded')).toBe(1_110);
    // A start is a step of its own, for it may take as long as one may.
    expect(counts).toEqual({ started: 3, loads: 3, runs: 3, steps: 8 });
  });

  it('loading in vain, once, and whenever it is checked', async () => {
    const { charged, made } = await runner();
    expect([await charged('a', 'syntax'), await charged('a', 'syntax')]).toEqual([100, 0]);
    expect(await made.work(code('check', 'syntax'), null)).toMatchObject({ code: 'syntax', cpuMs: 100 });
    expect(await made.work(code('check'), null)).toEqual({ kind: 'fits' });
  });
});

it('images are kept until the machine that they are of is spoilt', async () => {
  const { charged, counts } = await runner();
  for (const id of ['a', 'b', 'a', 'b']) await charged(id);
  expect(counts.loads).toBe(2);
  await charged('c', 'spoils');
  for (const id of ['a', 'b', 'a', 'b']) await charged(id);
  expect(counts.loads).toBe(5);
});
