// docs/transformations.md: its examples give what they say, its limits are those of the code.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { MachineAnswer } from './machine-answer.js';
import { PatientMachine } from './machine.fixture.js';
import { sandboxLimits } from './sandbox-job.js';

const text = readFileSync(new URL('../../../docs/transformations.md', import.meta.url), 'utf8');
const examples = text.slice(text.indexOf('\n## Examples\n'));
const data = JSON.parse(/^`(\{"taskId".*\})`,$/m.exec(examples)?.[1] ?? '') as object;
const event = {
  id: 'evt_42',
  source: '/project-management/acme',
  type: 'task.completed',
  time: '2026-11-23T19:40:00.000Z',
  subject: 'tsk_7',
};
const envelope = JSON.stringify({
  eventType: event.type,
  eventId: event.id,
  headers: {},
  cancel: false,
  event,
  seed: [5, 6, 7, 8],
});
const payload = JSON.stringify({ specversion: '1.0', ...event, data });
const patient = new PatientMachine();

const shown = (answer: MachineAnswer): object => {
  if (answer.kind === 'failed') return { failed: answer.code, message: answer.message, line: answer.line };
  if (answer.cancelled) return { cancelled: true };
  return { payload: JSON.parse(answer.payload) as unknown, headers: answer.headers };
};

const parts = [...examples.matchAll(/^### (.+)\n[^]*?^```js\n([^]*?)^```\n\n```json\n([^]*?)^```$/gm)];

describe('docs/transformations.md', () => {
  it.each(parts.map(([, title = '', code = '', answer = '']) => [title, code, answer] as const))(
    '%s',
    async (_title, code, answer) => {
      // The clock is the thread's: here it is the host's.
      const answered = JSON.stringify(shown(await patient.run(code, payload, envelope)));
      const atEvent = answered.replace(/"happenedAt":"[^"]+"/, `"happenedAt":"${event.time}"`);
      expect(JSON.parse(atEvent)).toEqual(JSON.parse(answer));
    },
  );

  it('shows each example with what it gives, and begins with one that works', async () => {
    expect(parts).toHaveLength((text.match(/^```js$/gm) ?? []).length - 1);
    expect(parts.length).toBeGreaterThanOrEqual(5);
    const first = /^```js\n([^]*?)^```$/m.exec(text)?.[1] ?? '';
    expect(await patient.payloadOf(first, payload)).toEqual({ text: '"Ship the contract" is done in prj_1' });
  });

  it('tells the limits as they are', () => {
    const { runMs, memoryBytes, stackBytes, outputBytes, headerCount, headerBytes, logLines, logChars } = sandboxLimits;
    const table = text.slice(text.indexOf('## Limits'), text.indexOf('## When it fails')).replace(/ +/g, ' ');
    for (const limit of [
      `| ${runMs} ms | of CPU time`,
      `| ${memoryBytes / 1_048_576} MiB | of memory`,
      `| ${stackBytes / 1_024} KiB | of stack`,
      `| ${outputBytes / 1_024} KiB | of payload`,
      `| ${headerCount} headers, ${headerBytes / 1_024} KiB of them |`,
      `| ${logLines} lines, ${logChars / 1_024} KiB | of log`,
    ]) {
      expect(table).toContain(limit);
    }
  });
});
