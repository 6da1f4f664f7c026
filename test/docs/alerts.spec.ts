import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { projectRoot } from '#libs/config';

const text = (...path: string[]): string => readFileSync(join(projectRoot(), ...path), 'utf8');

it('asks for metrics that there are, and every alert is in docs/operations.md', () => {
  const rules = text('docker', 'alerts.yaml');
  const metrics = text('libs', 'observability', 'src', 'metrics.ts');
  const operations = text('docs', 'operations.md');
  const asked = [...rules.matchAll(/\bposthorn_[a-z_]+/g)].map(([name]) => name);
  const alerts = [...rules.matchAll(/alert: (\w+)/g)].map(([, name]) => name ?? '');
  expect(asked.length).toBeGreaterThan(0);
  expect(asked.filter((name) => !metrics.includes(`'${name}'`))).toEqual([]);
  expect(alerts.filter((name) => !operations.includes(name))).toEqual([]);
});
