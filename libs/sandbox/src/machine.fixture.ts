import { Machine } from './machine.js';
import type { MachineAnswer } from './machine-answer.js';
import { sandboxLimits, type SandboxLimits } from './sandbox-job.js';

/** How long code takes to run out of something is no matter. */
const patient: SandboxLimits = { ...sandboxLimits, runMs: 30_000 };

export const headers = { 'content-type': 'application/json' };
export const event = { id: 'e-1', source: '/tasks', type: 'task.created', partitionkey: 'k' };
export const envelopeOf = (changes: object = {}): string =>
  JSON.stringify({
    eventType: 'task.created',
    eventId: 'e-1',
    headers,
    cancel: false,
    event,
    seed: [1, 2, 3, 4],
    ...changes,
  });
export const handler = (body: string): string => `function handler(webhook) { ${body} }`;

export function runOn(one: Machine, code: string, payload = '{"id":1}', envelope = envelopeOf()): MachineAnswer {
  const loaded = one.load(code);
  return loaded.kind === 'failed' ? loaded : one.run(loaded.image, envelope, payload);
}

/** Loads and runs as a thread does, and begins with another machine where it does. */
export class PatientMachine {
  #machine: Promise<Machine> = Machine.start(patient);

  async run(code: string, payload?: string, envelope?: string): Promise<MachineAnswer> {
    const machine = await this.#machine;
    const answer = runOn(machine, code, payload, envelope);
    if (machine.isSpoilt) this.#machine = Machine.start(patient);
    return answer;
  }

  async failureOf(code: string): Promise<Extract<MachineAnswer, { kind: 'failed' }>> {
    const answer = await this.run(code);
    if (answer.kind !== 'failed') throw new Error(`it did not fail: ${JSON.stringify(answer)}`);
    return answer;
  }

  async payloadOf(code: string, payload?: string): Promise<unknown> {
    const answer = await this.run(code, payload);
    if (answer.kind !== 'done') throw new Error(`it failed: ${JSON.stringify(answer)}`);
    return JSON.parse(answer.payload);
  }
}
