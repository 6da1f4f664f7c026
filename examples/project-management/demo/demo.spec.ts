import { describe, expect, it } from 'vitest';
import { webhookIdOf } from '#libs/core';
import type { AppendedEvent } from '../producer/produce.js';
import type { Receipt } from '../receiver/record.js';
import type { EndpointStats, LoggedDelivery } from './api-client.js';
import type { DemoEndpoint } from './endpoints.js';
import { expectedOf, findFaults, type Evidence } from './oracle.js';
import { messageOf, StartSummary } from './platform.js';
import { Progress } from './progress.js';
import { untilSettled } from './settle.js';
import { endpointTable } from './table.js';

const endpoint = (name: DemoEndpoint['name'], eventTypes: readonly string[]): DemoEndpoint => ({
  id: `ep_${name}`,
  name,
  path: `/${name}`,
  eventTypes,
  secret: 'whsec_',
});
const endpoints = [endpoint('steady', ['*']), endpoint('tasks', ['task.*'])];
const appended: AppendedEvent[] = ['project.created', 'task.updated', 'task.completed'].map((type, i) => ({
  id: `evt_${i + 1}`,
  source: '/s',
  type,
}));

/** A run in which all went well, to be spoiled. */
function evidence() {
  const deliveries = new Map<string, LoggedDelivery[]>();
  const record: Record<string, Record<string, Receipt>> = {};
  for (const { id, path, name } of endpoints) {
    const matching = appended.filter(({ type }) => name === 'steady' || type.startsWith('task.'));
    const ids = matching.map((event) => webhookIdOf(id, event.source, event.id));
    deliveries.set(
      id,
      ids.map((webhookId) => ({ webhookId, status: 'delivered' })),
    );
    record[path] = Object.fromEntries(
      ids.map((webhookId) => [webhookId, { arrivals: 1, valid: 1, acknowledged: 1, processed: 1 }]),
    );
  }
  return { endpoints, appended, deliveries, record };
}
const idAt = (name: 'steady' | 'tasks', event: number): string => webhookIdOf(`ep_${name}`, '/s', `evt_${event}`);
const receipt = (of: Evidence, name: 'steady' | 'tasks', event: number): Receipt =>
  of.record[`/${name}`]![idAt(name, event)]!;

describe('the oracle of the demo', () => {
  it('is content when every event was delivered to each endpoint that asked for it', () => {
    expect(endpoints.map((one) => expectedOf(one, appended))).toEqual([3, 2]);
    expect(findFaults(evidence())).toEqual([]);
  });

  it('is content with a dead letter that was never acknowledged', () => {
    const of = evidence();
    of.deliveries.get('ep_steady')![0] = { webhookId: idAt('steady', 1), status: 'dead-lettered' };
    Object.assign(receipt(of, 'steady', 1), { arrivals: 4, valid: 4, acknowledged: 0, processed: 0 });
    expect(findFaults(of)).toEqual([]);
  });

  it('finds a delivery that is missing in the log', () => {
    const of = evidence();
    of.deliveries.get('ep_tasks')!.shift();
    expect(findFaults(of)).toEqual([expect.stringMatching(/^tasks: evt_2 .*is not in the delivery log/)]);
  });

  it.each(['pending', 'dropped'] as const)('finds one that is %s', (status) => {
    const of = evidence();
    of.deliveries.get('ep_steady')![1] = { webhookId: idAt('steady', 2), status };
    expect(findFaults(of)).toEqual([expect.stringContaining(`is ${status}`)]);
  });

  it('finds one that never arrived', () => {
    const of = evidence();
    delete of.record['/steady']![idAt('steady', 3)];
    expect(findFaults(of)).toEqual([expect.stringMatching(/^steady: evt_3 .*has never arrived/)]);
  });

  it('finds an invalid signature', () => {
    const of = evidence();
    Object.assign(receipt(of, 'tasks', 2), { arrivals: 2 });
    expect(findFaults(of)).toEqual([expect.stringContaining('1 times with an invalid signature')]);
  });

  it('finds what was delivered, but never acknowledged', () => {
    const of = evidence();
    Object.assign(receipt(of, 'steady', 1), { acknowledged: 0, processed: 0 });
    expect(findFaults(of)).toEqual([expect.stringContaining('never acknowledged')]);
  });

  it('finds what was processed twice', () => {
    const of = evidence();
    Object.assign(receipt(of, 'steady', 1), { arrivals: 2, valid: 2, acknowledged: 2, processed: 2 });
    expect(findFaults(of)).toEqual([expect.stringContaining('was processed 2 times')]);
  });

  it('finds what nobody asked for, and what is in the log twice', () => {
    const of = evidence();
    of.deliveries.get('ep_tasks')!.push({ webhookId: idAt('tasks', 1), status: 'delivered' });
    of.deliveries.get('ep_steady')!.push({ webhookId: idAt('steady', 1), status: 'delivered' });
    expect(findFaults(of)).toEqual([
      expect.stringMatching(/^steady: .*in the delivery log twice/),
      expect.stringMatching(/^tasks: .*but nobody asked for it/),
    ]);
  });
});

const stats = (of: Partial<EndpointStats>): EndpointStats => ({
  endpointId: 'ep_steady',
  matched: 0,
  delivered: 0,
  retried: 0,
  deadLettered: 0,
  dropped: 0,
  pending: 0,
  latencyP50Ms: null,
  latencyP95Ms: null,
  ...of,
});

describe('endpointTable', () => {
  it('has a line per endpoint, also for one without deliveries', () => {
    const of = stats({ matched: 2_000, delivered: 1_990, retried: 600, deadLettered: 10, latencyP50Ms: 6.6 });
    expect(endpointTable(endpoints, [of]).split('\n')).toEqual([
      'endpoint  wants   matched  delivered  retried  dead-lettered  p50 ms  p95 ms',
      '--------  ------  -------  ---------  -------  -------------  ------  ------',
      'steady    *         2,000      1,990      600             10       7       -',
      'tasks     task.*        0          0        0              0       0       0',
    ]);
  });
});

describe('Progress', () => {
  const shown = (isTTY: boolean): string => {
    let text = '';
    let now = 0;
    const progress = new Progress({ isTTY, columns: 8, write: (more: string) => (text += more) }, () => now);
    for (const line of ['one', 'two', 'a long one', 'a long one']) {
      progress.show(line);
      now += 600;
    }
    progress.end('done');
    return text;
  };

  it('updates one line on a terminal, cut to its width', () => {
    const clear = '\r\u001b[2K';
    expect(shown(true)).toBe(`${clear}one${clear}two${clear}a long ${clear}a long ${clear}done\n`);
  });

  it('prints plain lines elsewhere, at most one a second, none twice', () => {
    expect(shown(false)).toBe('one\na long one\ndone\n');
  });
});

describe('untilSettled', () => {
  const run = (answers: readonly Partial<EndpointStats>[], expected: number | null) => {
    let call = 0;
    return untilSettled({
      stats: () => Promise.resolve([stats(answers[Math.min(call++, answers.length - 1)]!)]),
      expected: () => expected,
      onSums: () => undefined,
      onTrouble: () => undefined,
      pollMs: 1,
      stallMs: 20,
    });
  };

  it('ends when all that is expected is delivered or dead-lettered', async () => {
    await expect(run([{ delivered: 1 }, { delivered: 2, deadLettered: 1 }], 3)).resolves.toBe(true);
  });

  it('gives up when nothing moves, also while events are still expected', async () => {
    await expect(run([{ delivered: 1 }, { delivered: 2 }], 3)).resolves.toBe(false);
    await expect(run([{ delivered: 1 }], null)).resolves.toBe(false);
  });
});

describe('StartSummary', () => {
  it('counts topics and schemas, and passes on the rest', () => {
    const said: string[] = [];
    const summary = new StartSummary((line) => said.push(line));
    for (const line of ['Kafka answers', 'topic a: created', 'topic b: created', 'schema s: registered', 'listening'])
      summary.add(line);
    expect(said).toEqual(['Kafka answers', '2 topics made or checked', '1 schemas made or checked', 'listening']);
  });
});

describe('messageOf', () => {
  it('takes the sentence out of a log line, and leaves other lines as they are', () => {
    expect(messageOf('{"level":"info","msg":"listening","url":"http://127.0.0.1:1"}')).toBe(
      'listening http://127.0.0.1:1',
    );
    expect(messageOf('plain')).toBe('plain');
  });
});
