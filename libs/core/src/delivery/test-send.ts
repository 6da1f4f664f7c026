/** Test sends (DESIGN §5). A delivery is one by its stream alone: of no order, no statistics, and tried once. */

const prefix = 'test:';

/** Stream of one test. */
export const testStreamOf = (testId: string): string => prefix + testId;

export const isTestStream = (stream: string): boolean => stream.startsWith(prefix);

/** Header by which a receiver tells a test from what has happened. Neither customers nor their code can set it. */
export const testHeader = 'posthorn-test';

/** Later than this after it was asked for, nobody waits for a test any more: it is not sent. */
export const testLastsMs = 300_000;
