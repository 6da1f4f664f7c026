import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from '#libs/config';
import type { ProcessUsage } from './process-usage.js';

/** What a run of a scenario has measured. */
export interface Figures<T extends object> {
  readonly fields: T;
  readonly processes: Readonly<Record<string, ProcessUsage>>;
}

export type AnyFigures = Figures<Readonly<Record<string, number>>>;

export interface Outcome {
  readonly name: string;
  /** The run whose main figure is the median. */
  readonly median: AnyFigures;
  readonly all: readonly AnyFigures[];
}

/** For example `throughput       perSecond 8,123  ofLimit 0.471 …`. */
export function lineOf({ name, median, all }: Outcome): string {
  const fields = Object.entries(median.fields).map(([field, value]) => `${field} ${value.toLocaleString('en')}`);
  return `${name.padEnd(16)} ${fields.join('  ')}${all.length === 1 ? '' : `  (median of ${all.length})`}`;
}

/** Writes `bench/results/<name>.json`. */
export function store(outcome: Outcome, kafkaVersion: string | null): void {
  const { name, median, all } = outcome;
  const folder = join(projectRoot(), 'bench', 'results');
  const { version } = JSON.parse(readFileSync(join(projectRoot(), 'package.json'), 'utf8')) as { version: string };
  const stored = {
    scenario: name,
    ...median.fields,
    ...(all.length === 1 ? {} : { runs: all.map(({ fields }) => fields) }),
    processes: median.processes,
    loadAverage: loadavg().map((load) => Math.round(load * 100) / 100),
    cpus: availableParallelism(),
    versions: { posthorn: version, node: process.versions.node, kafka: kafkaVersion },
    date: new Date().toISOString(),
  };
  mkdirSync(folder, { recursive: true });
  // Numbers in one line, as Prettier would have it: the files are committed.
  const text = JSON.stringify(stored, null, 2).replaceAll(/\[[^[\]{}]+\]/g, (list) =>
    JSON.stringify(JSON.parse(list)).replaceAll(',', ', '),
  );
  writeFileSync(join(folder, `${name}.json`), `${text}\n`);
}
