import { checkHeaders } from './header-rules.js';
import type { SandboxDone, SandboxFailed, SandboxFailureCode, SandboxLimits } from './sandbox-job.js';

export const codeName = 'transformation.js';

type Uncounted<T> = Omit<T, 'cpuMs'>;
export type MachineAnswer = Uncounted<SandboxDone> | Uncounted<SandboxFailed>;

const failureCodes = new Set<unknown>(['memory', 'stack', 'output', 'threw', 'invalid-result', 'syntax']);

/**
 * What the prelude has answered (`preludeOf`). It comes from where the customer's code rules, so nothing in it is believed:
 * a text that we would not have made is a failure like others.
 */
export function answerOf(text: string, limits: SandboxLimits): MachineAnswer {
  const end = text.indexOf('\n');
  const head = headOf(end === -1 ? text : text.slice(0, end));
  const logs = logsOf(head['logs'], limits);
  if (head['kind'] === 'failed') return failureOf(head, logs, limits);
  if (head['cancelled'] === true) return { kind: 'done', payload: 'null', headers: {}, cancelled: true, logs };
  const headers = entriesOf(head['headers']);
  if (head['kind'] !== 'done' || end === -1 || headers === null) return failed('invalid-result', noWebhook, logs);
  const payload = text.slice(end + 1);
  if (Buffer.byteLength(payload) > limits.outputBytes) {
    return failed('output', `the payload is longer than ${limits.outputBytes} bytes`, logs);
  }
  const checked = checkHeaders(headers, limits);
  switch (checked.kind) {
    case 'fit':
      return { kind: 'done', payload, headers: checked.headers, cancelled: false, logs };
    case 'unfit':
      return failed('invalid-result', `headers: ${checked.reason}`, logs);
    case 'too-many':
      return failed('output', checked.reason, logs);
  }
}

export function failed(
  code: SandboxFailureCode,
  message: string,
  logs: readonly string[] = [],
  line: number | null = null,
): Uncounted<SandboxFailed> {
  return { kind: 'failed', code, message: message.slice(0, 500), ...(line === null ? {} : { line }), logs };
}

/** What a limit says to whoever ran into it. */
export const exceeded = (code: 'timeout' | 'memory' | 'stack', { runMs, memoryBytes }: SandboxLimits): string => {
  switch (code) {
    case 'timeout':
      return `it ran for more than ${runMs} ms`;
    case 'memory':
      return `it needed more than ${memoryBytes} bytes of memory`;
    case 'stack':
      return 'it called itself too deeply';
  }
};

const noWebhook = 'handler did not return a webhook';

function failureOf(
  head: Record<string, unknown>,
  logs: readonly string[],
  limits: SandboxLimits,
): Uncounted<SandboxFailed> {
  const { code, message, stack } = head;
  if (!failureCodes.has(code) || typeof message !== 'string') return failed('invalid-result', noWebhook, logs);
  const said = code === 'memory' || code === 'stack' ? exceeded(code, limits) : message;
  return failed(code as SandboxFailureCode, said, logs, lineOf(stack));
}

/** The innermost place of a stack that is in the customer's code. */
function lineOf(stack: unknown): number | null {
  if (typeof stack !== 'string') return null;
  const [, line] = /\btransformation\.js:(\d{1,7})\b/.exec(stack) ?? [];
  return line === undefined ? null : Number(line);
}

function headOf(text: string): Record<string, unknown> {
  try {
    const head: unknown = JSON.parse(text);
    return isObject(head) ? head : {};
  } catch {
    return {};
  }
}

function entriesOf(headers: unknown): [string, string][] | null {
  if (!isObject(headers)) return null;
  const entries = Object.entries(headers);
  return entries.every((entry): entry is [string, string] => typeof entry[1] === 'string') ? entries : null;
}

function logsOf(logs: unknown, { logLines, logChars }: SandboxLimits): string[] {
  if (!isObject(logs)) return [];
  let room = logChars;
  const kept: string[] = [];
  for (const line of Object.values(logs)) {
    if (typeof line !== 'string' || kept.length >= logLines || line.length > room) break;
    room -= line.length;
    kept.push(line);
  }
  return kept;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
