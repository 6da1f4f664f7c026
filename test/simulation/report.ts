import type { Summary } from './play-range.js';

const mostFailures = 30;

/** What a run says at its end: what was injected, what it led to, what went wrong and how to see it again. */
export function summaryLines(summary: Summary, args: readonly string[], elapsedMs: number): string[] {
  const { played, failures, counts } = summary;
  const kinds = Map.groupBy(failures, ({ kind }) => kind);
  return [
    ...Object.entries(counts)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, count]) => `${name.padEnd(24)} ${count}`),
    '',
    ...failures
      .slice(0, mostFailures)
      .flatMap(({ seed, kind, text, violations }) => [
        `seed ${seed}: ${kind} (${violations}): ${text.slice(0, 400)}`,
        `  again: ${replayCommand(seed, args)}`,
      ]),
    ...(failures.length > mostFailures ? [`and ${failures.length - mostFailures} more`] : []),
    `${played} seeds in ${(elapsedMs / 1_000).toFixed(1)} s, with violations: ${
      [...kinds].map(([kind, all]) => `${kind} in ${all.length}`).join(', ') || 'none'
    }`,
  ];
}

export function replayCommand(seed: number, args: readonly string[]): string {
  return ['npm run test:simulation -- --seeds 1 --from', seed, ...args].join(' ');
}
