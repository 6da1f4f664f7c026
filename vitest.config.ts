import { defineConfig } from 'vitest/config';

const resolve = { conditions: ['source'] };
// `__vitest__` is where the global setup runs.
const shared = { resolve, ssr: { resolve }, environments: { __vitest__: { resolve } } };
const runtime = ['libs/testing/src/global-setup.ts'];
/** And at its end the search for what end-to-end tests had of secrets. */
const services = [...runtime, 'test/e2e/secrecy/search-at-the-end.ts'];
const node = { environment: 'node' as const, pool: 'forks' as const };

const integration = ['{apps,libs,examples}/**/*.int-spec.ts'];
/** Of these, what starts brokers of its own, and mostly waits for them. */
const clusters = [
  'apps/cli/src/move.int-spec.ts',
  'libs/kafka/test/{moving-leaders,secured}.int-spec.ts',
  'libs/runtime/src/*.int-spec.ts',
];

/** One project per tier; the tier is in the file's name (CONTRIBUTING.md, "Tests"). */
export default defineConfig({
  test: {
    // Before the services of the tiers end, what they have on disk is searched.
    teardownTimeout: 60_000,
    projects: [
      {
        ...shared,
        test: {
          ...node,
          name: 'unit',
          include: ['{apps,libs,examples,bench,scripts,test}/**/*.spec.ts'],
          testTimeout: 30_000,
        },
      },
      {
        ...shared,
        test: {
          ...node,
          name: 'int',
          include: integration,
          exclude: clusters,
          globalSetup: runtime,
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      {
        ...shared,
        test: {
          ...node,
          name: 'cluster',
          include: clusters,
          globalSetup: runtime,
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      {
        ...shared,
        test: {
          ...node,
          name: 'simulation',
          include: ['test/simulation/**/*.sim-spec.ts'],
          // Each file keeps a core busy for a minute, the one with the seeds both.
          fileParallelism: false,
          testTimeout: 300_000,
        },
      },
      {
        ...shared,
        test: {
          ...node,
          name: 'e2e',
          include: ['test/e2e/**/*.e2e-spec.ts'],
          globalSetup: services,
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
      {
        ...shared,
        test: {
          ...node,
          name: 'fuzz',
          include: ['apps/**/*.fuzz-spec.ts'],
          globalSetup: runtime,
          fileParallelism: false,
          hookTimeout: 180_000,
          provide: {
            fuzz: {
              examples: Number(process.env['TEST_FUZZ_EXAMPLES'] ?? 5),
              seed: Number(process.env['TEST_FUZZ_SEED'] ?? 1),
            },
          },
        },
      },
      {
        ...shared,
        test: {
          ...node,
          name: 'chaos',
          include: ['test/chaos/**/*.chaos-spec.ts'],
          globalSetup: services,
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 180_000,
          provide: { chaosIsFull: process.env['TEST_CHAOS_FORM'] === 'full' },
        },
      },
    ],
  },
});
