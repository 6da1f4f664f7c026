import { describe, expect, it } from 'vitest';
import { summaryLines } from './report.js';
import { faults } from './scenario.js';
import { playSharded } from './shards.js';

const seeds = 2_000;
/** What must have happened: the faults that were chosen, and what they led to. */
const injected = [
  ...faults,
  'lostAnswer',
  'freshProducer',
  'lateAppend',
  'lostCommit',
  'lateCommit',
  'handOver',
  'repeatedEvent',
  'duplicatesAllowed',
  'deadLetters',
  'copies',
  'spills',
  'attemptsStarted',
  'dropped',
  'failedPosts',
  'unansweredPosts',
  'calm',
  'frozen',
  'joined',
  'caughtUp',
  'backfilled',
  'replays',
  'lostQuery',
  'diedInWrite',
  'batchPosts',
  'batchEvents',
  'batchRetries',
];

describe('the worker and the dispatcher, under whatever happens', () => {
  it(`keep invariants 1 to 4 and 6 over ${seeds} seeds, in each of which something else happens`, async () => {
    const begun = performance.now();
    const summary = await playSharded({ from: 1, seeds, shards: 2 });
    const lines = summaryLines(summary, [], performance.now() - begun);
    console.log(lines.join('\n'));
    expect(summary.failures).toEqual([]);
    expect(summary.played).toBe(seeds);
    expect(injected.filter((name) => (summary.counts[name] ?? 0) === 0)).toEqual([]);
  });
});
