/** What runs in each of the sandbox's threads: it takes jobs one after the other, and answers each. */
import { hash } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { Images } from './images.js';
import { Machine, type Loaded } from './machine.js';
import type { CodeCheck, SandboxCode, SandboxInput, SandboxResult } from './sandbox-job.js';
import { showTime, stopClock } from './thread-clock.js';
import type { FromThread, ThreadSetup, ToThread } from './thread-messages.js';

const { limits, imageBytes, steps } = workerData as ThreadSetup;
const step = new Int32Array(steps);
const images = new Images(imageBytes);
stopClock();
let machine = await Machine.start(limits);
/** A machine is made anew between two jobs, not within one. */
let inTurn: Promise<unknown> = Promise.resolve();

parentPort?.on('message', (message: ToThread) => {
  if (message.kind === 'forget') images.forget(message.transformationId);
  else inTurn = inTurn.then(() => workOff(message.code, message.inputs));
});
answer({ kind: 'ready' });

async function workOff(code: SandboxCode, inputs: readonly (SandboxInput | null)[]): Promise<void> {
  for (const input of inputs) {
    answer({ kind: 'result', result: input === null ? check(code) : run(code, input) });
    if (machine.isSpoilt) {
      // Images are of the machine that they were taken from.
      images.clear();
      machine = await Machine.start(limits);
    }
  }
}

function check(code: SandboxCode): CodeCheck {
  const loaded = load(code.code);
  return loaded.kind === 'loaded' ? { kind: 'fits' } : { ...loaded, cpuMs: machine.usedMs };
}

function run(code: SandboxCode, input: SandboxInput): SandboxResult {
  const known = images.get(code.transformationId, code.version);
  const loaded = known ?? loadAndKeep(code);
  if (loaded.kind === 'failed') return { ...loaded, cpuMs: known === null ? machine.usedMs : 0 };
  Atomics.add(step, 0, 1);
  showTime(input.time);
  const { eventType, eventId, headers, attributes: event, payload } = input;
  const envelope = JSON.stringify({ eventType, eventId, headers, cancel: false, event, seed: seedOf(eventId) });
  const result = machine.run(loaded.image, envelope, payload);
  return { ...result, cpuMs: machine.usedMs };
}

function load(code: string): Loaded {
  Atomics.add(step, 0, 1);
  // Whatever is evaluated outside of the handler is evaluated once, for no event.
  showTime(0);
  return machine.load(code);
}

function loadAndKeep({ transformationId, version, code }: SandboxCode): Loaded {
  const loaded = load(code);
  // A busy machine can be why it took too long.
  const isForGood = loaded.kind === 'loaded' || loaded.code !== 'timeout';
  if (isForGood && !machine.isSpoilt) images.set(transformationId, version, loaded);
  return loaded;
}

/** The same for the same event, and of another one nobody can tell. */
function seedOf(eventId: string): number[] {
  const digest = hash('sha256', eventId, 'buffer');
  return [0, 4, 8, 12].map((at) => digest.readInt32LE(at));
}

function answer(message: FromThread): void {
  parentPort?.postMessage(message);
}
