import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PlatformUnderTest } from './platform-under-test.js';
import { sampleEvents, type UpstreamService } from './sample-events.js';

describe('SIGTERM', () => {
  let test: PlatformUnderTest;
  let upstream: UpstreamService;

  beforeAll(async () => {
    test = await PlatformUnderTest.start();
    upstream = await test.upstream();
  });
  afterAll(async () => {
    await upstream?.close();
    await test?.stop();
  });

  it('drains: a worker and a dispatcher that are stopped in mid-stream leave no duplicate and no gap to the next', async () => {
    await test.addEndpoint(['*'], () => ({ delayMs: 100 }));
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const events = sampleEvents('drain', 600);
    await upstream.send(events.slice(0, 300).map((event) => upstream.binaryJson(event)));
    await test.endpoints[0]!.receiver.waitFor(20, 15_000);
    const { platform } = test;
    const [oldWorker, oldDispatcher] = [platform.of('worker'), platform.of('dispatcher')];
    // The next ones join while the old ones still work: any number of each may run.
    await Promise.all([platform.launch('worker'), platform.launch('dispatcher')]);
    await upstream.send(events.slice(300).map((event) => upstream.binaryJson(event)));
    expect(await platform.terminate(oldWorker)).toBe(0);
    expect(await platform.terminate(oldDispatcher)).toBe(0);
    const verdict = await test.settledVerdict(60_000);
    expect(verdict.violations).toEqual([]);
    expect(verdict.delivered).toBe(600);
    // Answers take 100 ms, so that what is on its way lands before the join (drain) and before the leave.
    expect(verdict.duplicates).toBe(0);
    for (const name of ['api', 'projector'] as const) expect(await platform.terminate(platform.of(name))).toBe(0);
  });
});
