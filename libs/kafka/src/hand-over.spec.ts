// Real: what is kept and given of one partition, and turns of the event loop. Doubled: fetches, the handler.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { HandOver } from './hand-over.js';
import type { LogRecord } from './ports.js';

const records = (from: number, to: number): readonly LogRecord[] =>
  Array.from({ length: to - from }, (_, n): LogRecord => {
    const offset = from + n;
    return { topic: 't', partition: 0, offset, timestamp: 0, key: null, value: null, headers: {} };
  });

function world(atOnce?: number) {
  const given: string[] = [];
  const state = { emptied: 0, isWanted: true, failed: 0, onGiven: (): void => undefined };
  const handOver = new HandOver(
    {
      ...(atOnce === undefined ? {} : { atOnce }),
      onRecords: (batch, end) => {
        given.push(`${batch[0]?.offset ?? ''}+${batch.length}/${end}`);
        state.onGiven();
      },
      onOutOfRange: () => undefined,
    },
    { isWanted: () => state.isWanted, emptied: () => (state.emptied += 1), failed: () => (state.failed += 1) },
  );
  return { handOver, given, state };
}

describe('HandOver', () => {
  it('gives a fetch in parts, one in each turn of the event loop, and wants more only then', async () => {
    const { handOver, given, state } = world(64);
    handOver.give(records(0, 150), 150);
    expect(given).toEqual(['0+64/150']);
    expect(handOver.wants).toBe(false);
    await nextTurn();
    expect(given).toEqual(['0+64/150', '64+64/150']);
    expect(state.emptied).toBe(0);
    await nextTurn();
    expect(given.at(-1)).toBe('128+22/150');
    expect(handOver.wants).toBe(true);
    expect(state.emptied).toBe(1);
  });

  it('tells the end of the log behind what is still to be given', async () => {
    const { handOver, given } = world(2);
    handOver.give(records(0, 3), 5);
    handOver.give([], 5);
    for (let turn = 0; turn < 3; turn += 1) await nextTurn();
    expect(given).toEqual(['0+2/5', '2+1/5', '+0/5']);
  });

  it('stops between two parts when it is paused, and gives the next when it goes on, still one a turn', async () => {
    const { handOver, given, state } = world(2);
    state.onGiven = () => (handOver.paused = true);
    handOver.give(records(0, 8), 8);
    await nextTurn();
    expect(given).toEqual(['0+2/8']);
    handOver.resume();
    expect(given).toHaveLength(1);
    await nextTurn();
    expect(given).toEqual(['0+2/8', '2+2/8']);
    // Paused and resumed while the next part waits for its turn: that stays its turn.
    state.onGiven = () => undefined;
    handOver.resume();
    await Promise.resolve();
    expect(given).toHaveLength(2);
    await nextTurn();
    expect(given).toHaveLength(3);
    await nextTurn();
    expect(given.at(-1)).toBe('6+2/8');
    expect(state.emptied).toBe(1);
  });

  it('gives nothing more to whom nobody wants', async () => {
    const { handOver, given, state } = world(2);
    handOver.give(records(0, 6), 6);
    state.isWanted = false;
    await nextTurn();
    expect(given).toHaveLength(1);
  });

  it('gives all at once to a handler that asks for nothing else', () => {
    const { handOver, given, state } = world();
    handOver.give(records(0, 5_000), 5_000);
    expect(given).toEqual(['0+5000/5000']);
    expect(state.emptied).toBe(0);
  });
});
