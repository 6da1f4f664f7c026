import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CursorBook, type Cursor } from './cursor-book.js';

const frozenAt = (position: number, run = 'f1.1'): Cursor => ({
  endpointId: 'ep_1',
  run,
  kind: 'freeze',
  incarnation: 0,
  position,
});

describe('a cursor', () => {
  it('keeps live what lies below the freeze, and nothing above it', () => {
    const book = new CursorBook([frozenAt(10)]);
    expect([9, 10, 11].map((offset) => book.isLive('ep_1', offset))).toEqual([true, false, false]);
    expect(book.isLive('ep_2', 11)).toBe(true);
  });

  it('of a backfill keeps nothing live before its join', () => {
    const book = new CursorBook([{ ...frozenAt(10), kind: 'backfill' }]);
    expect([0, 9, 10].map((offset) => book.isLive('ep_1', offset))).toEqual([false, false, false]);
  });

  it('does not let what was caught up become live', () => {
    const book = new CursorBook([frozenAt(10)]);
    book.move('ep_1', 15);
    expect([9, 10, 14, 15].map((offset) => book.isLive('ep_1', offset))).toEqual([true, false, false, false]);
  });

  it('is one for an endpoint, and never goes back', () => {
    const book = new CursorBook([frozenAt(10)]);
    expect(() => book.add(frozenAt(12, 'f1.2'))).toThrow('ep_1 has a cursor already');
    expect(() => book.move('ep_1', 9)).toThrow('moves back');
    book.delete('ep_1');
    book.move('ep_1', 3);
    expect(book.size).toBe(0);
  });
});

/**
 * One partition with one endpoint: live dispatch up to a position, a commit behind it, freezes at the position, catch-ups
 * up to the commit, joins where all three meet, and owners that die and begin anew from commit and stored cursor.
 * @returns what was sent, by offset and dedupe space, and up to where something should have been
 */
function play(steps: readonly Step[], options: { readonly freezesEarly?: boolean } = {}): Played {
  let stored: Cursor | null = null;
  let [commit, position, furthest, runs] = [0, 0, 0, 0];
  let book = new CursorBook();
  const sent: string[] = [];
  for (const step of steps) {
    const cursor = book.get('ep_1');
    if (step === 'dispatch') {
      if (book.isLive('ep_1', position)) sent.push(`${position}`);
      position += 1;
      furthest = Math.max(furthest, position);
    } else if (step === 'commit') commit = position;
    else if (step === 'freeze') {
      // What an earlier owner may have sent live lies below `furthest`: see DESIGN §5, Freeze.
      if (cursor !== undefined || (position < furthest && options.freezesEarly !== true)) continue;
      runs += 1;
      stored = frozenAt(position, `f${runs}`);
      book.add(stored);
    } else if (step === 'catchUp' && cursor !== undefined && cursor.position < commit) {
      sent.push(`${cursor.position} ${cursor.run}`);
      book.move('ep_1', cursor.position + 1);
      stored = book.get('ep_1') ?? null;
    } else if (step === 'join' && cursor?.position === commit && commit === position) {
      book.delete('ep_1');
      stored = null;
    } else if (step === 'die') {
      book = new CursorBook(stored === null ? [] : [stored]);
      position = commit;
    }
  }
  return { sent, upTo: Math.min(stored?.position ?? position, position) };
}

type Step = 'dispatch' | 'commit' | 'freeze' | 'catchUp' | 'join' | 'die';

interface Played {
  readonly sent: readonly string[];
  readonly upTo: number;
}

const offsetsOf = (sent: Iterable<string>): Set<number> => new Set([...sent].map((one) => Number.parseInt(one, 10)));

describe('live dispatch and catch-up together', () => {
  const step = fc.constantFrom<Step>('dispatch', 'dispatch', 'commit', 'freeze', 'catchUp', 'join', 'die');
  const steps = fc.array(step, { maxLength: 80 });

  it('send each record in one dedupe space, whatever happens in what order', () => {
    fc.assert(
      fc.property(steps, (given) => {
        const { sent, upTo } = play(given);
        const offsets = offsetsOf(sent);
        for (let offset = 0; offset < upTo; offset += 1) expect(offsets).toContain(offset);
        expect(new Set(sent).size).toBe(offsets.size);
        if (!given.includes('die')) expect(sent).toHaveLength(offsets.size);
      }),
      { numRuns: 2_000 },
    );
  });

  it('send a record in two spaces, where a freeze does not wait for what others have sent: the test above can fail', () => {
    const given: Step[] = ['dispatch', 'die', 'freeze', 'dispatch', 'commit', 'catchUp'];
    expect(play(given, { freezesEarly: true }).sent).toEqual(['0', '0 f1']);
    expect(play(given).sent).toEqual(['0', '0']);
  });
});
