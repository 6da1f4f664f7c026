import { describe, expect, it } from 'vitest';
import { Flow } from './flow.js';

/** One success each `everyMs`, from 0 to `untilMs`. */
function flowing(everyMs: number, untilMs: number): Flow {
  const flow = new Flow(0);
  for (let ms = 0; ms < untilMs; ms += everyMs) flow.add(ms);
  return flow;
}

describe('Flow', () => {
  it('gives the benefit of the doubt at first, for longer to what has succeeded', () => {
    expect(new Flow(0).takes(1_000, 1, 499)).toBe(true);
    expect(new Flow(0).takes(1, 1_000, 500)).toBe(false);
    expect(flowing(100, 200).takes(1_000, 1, 2_400)).toBe(true);
    expect(flowing(100, 200).takes(1_000, 1, 2_500)).toBe(false);
  });

  it('measures', () => {
    const flow = flowing(2, 4_000);
    expect(flow.takes(480, 1_000, 4_000)).toBe(true);
    expect(flow.takes(550, 1_000, 4_000)).toBe(false);
  });

  it('forgets what stopped', () => {
    const flow = flowing(1, 4_000);
    expect(flow.takes(100, 1_000, 4_400)).toBe(true);
    expect(flow.takes(1, 1_000, 5_100)).toBe(false);
    expect(flow.takes(1, 1_000, 60_000)).toBe(false);
  });
});
