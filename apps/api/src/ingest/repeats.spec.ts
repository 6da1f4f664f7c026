import { describe, expect, it } from 'vitest';
import { eventHash, Repeats } from './repeats.js';

describe('Repeats', () => {
  it('knows what was acknowledged, and not what failed', async () => {
    const repeats = new Repeats(10);
    repeats.follow([{ partition: 0, event: 'a' }], Promise.resolve());
    const failing = Promise.reject(new Error('timeout'));
    repeats.follow([{ partition: 0, event: 'b' }], failing);
    const first = repeats.look(0, 'a');
    const second = repeats.look(0, 'b');
    expect(first.state).toBe('in-flight');
    expect(second.state).toBe('in-flight');
    if (first.state === 'in-flight') await first.outcome;
    const reason = second.state === 'in-flight' ? await second.outcome.catch((error: Error) => error.message) : null;
    expect(reason).toBe('timeout');
    expect(repeats.look(0, 'a').state).toBe('acknowledged');
    expect(repeats.look(0, 'b').state).toBe('new');
    expect(repeats.look(1, 'a').state).toBe('new');
  });

  it('forgets the one that was not used for longest', async () => {
    const repeats = new Repeats(2);
    for (const event of ['a', 'b']) {
      repeats.follow([{ partition: 0, event }], Promise.resolve());
      await Promise.resolve();
    }
    expect(repeats.look(0, 'a').state).toBe('acknowledged');
    repeats.follow([{ partition: 0, event: 'c' }], Promise.resolve());
    await Promise.resolve();
    expect(['a', 'b', 'c'].map((event) => repeats.look(0, event).state)).toEqual([
      'acknowledged',
      'new',
      'acknowledged',
    ]);
  });
});

describe('eventHash', () => {
  it('keeps the parts apart', () => {
    expect(eventHash('k', 't', 'ab', 'c')).not.toBe(eventHash('k', 't', 'a', 'bc'));
    expect(eventHash('k', 't', 'a', 'b')).toMatch(/^[\w-]{22}$/);
  });
});
