/**
 * `npm run demo`: the whole platform, an example SaaS that produces events and an example receiver of webhooks.
 *
 *   npm run demo -- --events 2000 --exit
 */
import { parseArgs } from 'node:util';
import { Demo } from './demo/run.js';

const usage = `usage: npm run demo -- [--events N] [--rate R] [--seed S] [--exit]
  --events  how many events the example SaaS produces (default 500)
  --rate    per second; 0: as fast as possible (default 100)
  --seed    of what happens in its workspace, and of what the receiver refuses (default 1)
  --exit    end with status 0 when all has been delivered and checked, with 1 when something is missing`;

const options = readOptions();
const demo = new Demo(options, process.stdout);
let stopping: Promise<void> | undefined;
const end = async (code: number): Promise<void> => {
  stopping ??= demo.stop();
  await stopping;
  process.exit(code);
};
let interruptedAt = 0;
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const) {
  process.on(signal, () => {
    // One Ctrl-C may arrive twice (from the terminal, and from npm); a later one means: at once.
    if (interruptedAt > 0 && performance.now() - interruptedAt > 300) demo.kill();
    interruptedAt ||= performance.now();
    process.stdout.write(stopping === undefined ? '\nstopping …\n' : '');
    void end(code);
  });
}

try {
  const complete = await demo.run();
  if (options.exit) await end(complete ? 0 : 1);
  else await demo.stay();
} catch (error) {
  // What ends because we end it is not a failure.
  if (stopping === undefined) {
    process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`);
    await end(1);
  }
}

function readOptions(): { events: number; rate: number; seed: number; exit: boolean } {
  try {
    const { values } = parseArgs({
      options: {
        events: { type: 'string', default: '500' },
        rate: { type: 'string', default: '100' },
        seed: { type: 'string', default: '1' },
        exit: { type: 'boolean', default: false },
      },
    });
    const whole = (name: 'events' | 'rate' | 'seed', least: number, most: number): number => {
      const value = Number(values[name]);
      if (Number.isInteger(value) && value >= least && value <= most) return value;
      throw new RangeError(`--${name} must be a whole number from ${least} to ${most}`);
    };
    return {
      events: whole('events', 1, 100_000),
      rate: whole('rate', 0, 100_000),
      seed: whole('seed', 0, 2 ** 32 - 1),
      exit: values.exit,
    };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${usage}\n`);
    process.exit(2);
  }
}
