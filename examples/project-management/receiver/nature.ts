/** How an endpoint of the example behaves, by its path. */
export type Nature = 'steady' | 'flaky' | 'slow' | 'tasks' | 'failing';

export const natures = ['steady', 'flaky', 'slow', 'tasks', 'failing'] as const satisfies readonly Nature[];

/** What it answers to a request whose signature is valid, and when. */
export interface Answer {
  readonly status: number;
  readonly delayMs: number;
}

const flakyShare = 0.3;
const slowMs = 300;

/** @param random in [0, 1) */
export function answerOf(nature: Nature, random: () => number): Answer {
  switch (nature) {
    case 'steady':
    case 'tasks':
      return { status: 204, delayMs: 0 };
    case 'flaky':
      return { status: random() < flakyShare ? 503 : 204, delayMs: 0 };
    case 'slow':
      return { status: 204, delayMs: slowMs };
    case 'failing':
      return { status: 500, delayMs: 0 };
  }
}

/** `/steady` → `steady`; null for a path that nobody serves. */
export function natureOf(path: string): Nature | null {
  return natures.find((nature) => path === `/${nature}`) ?? null;
}
