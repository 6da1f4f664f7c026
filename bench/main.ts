/**
 * `npm run bench [-- <scenario>] [-- --runs 3]`: measures the platform as separate processes on the embedded runtime.
 * docs/benchmarks.md says what each scenario is.
 */
import { parseArgs } from 'node:util';
import { lineOf, store } from './results.js';
import { outcomesOf, round, scenarioNames } from './rounds.js';
import { startServices, type Services } from './services.js';
import { Stage } from './stage.js';

const progress = (line: string): boolean => process.stderr.write(`${line}\n`);

async function bench(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { runs: { type: 'string', default: '1' }, events: { type: 'string' }, rows: { type: 'string' } },
    allowPositionals: true,
  });
  const runs = Number(values.runs);
  const unknown = positionals.filter((name) => !scenarioNames.includes(name));
  const asked = values.events ?? values.rows;
  const events = asked === undefined ? null : Number(asked);
  const isCount = (value: number): boolean => Number.isInteger(value) && value >= 1;
  if (unknown.length > 0 || !isCount(runs) || !(events === null || isCount(events))) {
    progress(
      `usage: npm run bench -- [${scenarioNames.join('|')} ...] [--runs 3] [--events 1000000] [--rows 10000000]`,
    );
    return 2;
  }
  const wanted = new Set(positionals.length === 0 ? scenarioNames : positionals);
  const services = await startServices(progress);
  const stop = stopOnSignal(services);
  try {
    const rounds = [];
    for (let n = 0; n < runs; n += 1) rounds.push(await round(new Stage(services, 1, null, events), wanted, progress));
    const outcomes = outcomesOf(rounds);
    for (const outcome of outcomes) {
      store(outcome, services.kafkaVersion);
      console.log(lineOf(outcome));
    }
    const spoilt = outcomes.filter(({ all }) => all.some(({ fields }) => (fields['missing'] ?? 0) > 0));
    for (const { name } of spoilt) progress(`${name}: not everything was delivered in time`);
    return spoilt.length === 0 ? 0 : 1;
  } finally {
    await stop();
  }
}

/** Ends all at once when we are asked to: the apps and the receiver end by themselves when we are gone. */
function stopOnSignal(services: Services): () => Promise<void> {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      void services.stop().finally(() => process.exit(130));
    });
  }
  return () => services.stop();
}

try {
  process.exit(await bench(process.argv.slice(2)));
} catch (error) {
  progress(error instanceof Error ? (error.stack ?? error.message) : String(error));
  process.exit(1);
}
