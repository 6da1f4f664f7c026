import { describe, expect, it } from 'vitest';
import { Readiness } from './readiness.js';

describe('Readiness', () => {
  it('is ready only when every check is, and says what is not', async () => {
    const readiness = new Readiness();
    readiness.add({ name: 'kafka', check: () => undefined });
    expect(await readiness.report()).toEqual({ ready: true, checks: { kafka: 'ok' } });
    readiness.add({
      name: 'postgres',
      check() {
        throw new Error('refused');
      },
    });
    expect(await readiness.report()).toEqual({ ready: false, checks: { kafka: 'ok', postgres: 'refused' } });
  });

  it('does not wait for a check that never answers', async () => {
    const readiness = new Readiness();
    readiness.add({ name: 'kafka', check: () => new Promise<void>(() => undefined) });
    expect((await readiness.report(10)).checks).toEqual({ kafka: 'no answer within 10 ms' });
  });
});
