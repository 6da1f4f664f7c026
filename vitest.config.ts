import { defineConfig } from 'vitest/config';

const resolve = { conditions: ['source'] };
// `__vitest__` is where the global setup runs.
const shared = { resolve, ssr: { resolve }, environments: { __vitest__: { resolve } } };
/** What end-to-end tests share, and the search for their secrets at the end. */
const services = ['libs/testing/src/global-setup.ts', 'test/e2e/secrecy/search-at-the-end.ts'];
const node = { environment: 'node' as const, pool: 'forks' as const };

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
          include: ['{apps,libs,examples}/**/*.int-spec.ts'],
          globalSetup: ['libs/testing/src/global-setup.ts'],
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
          globalSetup: ['libs/testing/src/global-setup.ts'],
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
