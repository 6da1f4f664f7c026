/** What runs in each of the sandbox's threads: it takes jobs one after the other, and answers each. */
import { parentPort, workerData } from 'node:worker_threads';
import { JobRunner } from './job-runner.js';
import { Machine } from './machine.js';
import type { SandboxCode, SandboxInput } from './sandbox-job.js';
import { cpuMs, stopClock } from './thread-clock.js';
import type { FromThread, ThreadSetup, ToThread } from './thread-messages.js';

const { limits, imageBytes, steps } = workerData as ThreadSetup;
const step = new Int32Array(steps);
stopClock();
const runner = await JobRunner.start({
  start: () => Machine.start(limits),
  imageBytes,
  cpuMs,
  onStep: () => Atomics.add(step, 0, 1),
});
/** A machine is made anew between two jobs, not within one. */
let inTurn: Promise<unknown> = Promise.resolve();

parentPort?.on('message', (message: ToThread) => {
  if (message.kind === 'forget') runner.forget(message.transformationId);
  else inTurn = inTurn.then(() => workOff(message.code, message.inputs));
});
answer({ kind: 'ready', cpuMs: cpuMs() });

async function workOff(code: SandboxCode, inputs: readonly (SandboxInput | null)[]): Promise<void> {
  for (const input of inputs) answer({ kind: 'result', result: await runner.work(code, input) });
}

function answer(message: FromThread): void {
  parentPort?.postMessage(message);
}
