import { hash } from 'node:crypto';
import { Images } from './images.js';
import type { Loaded, Machine } from './machine.js';
import type { CodeCheck, SandboxCode, SandboxInput, SandboxResult } from './sandbox-job.js';
import { showTime } from './thread-clock.js';

type RunnerMachine = Pick<Machine, 'load' | 'run' | 'isSpoilt'>;

export interface JobRunnerParts {
  readonly start: () => Promise<RunnerMachine>;
  /** Of loaded code that is kept. */
  readonly imageBytes: number;
  /** CPU time of this thread, in milliseconds. */
  readonly cpuMs: () => number;
  /** Before each step that is bounded in time. */
  readonly onStep: () => void;
}

/** Runs jobs one after the other on one machine, and makes another one when that is spoilt. */
export class JobRunner {
  readonly #images: Images;

  private constructor(
    private readonly parts: JobRunnerParts,
    private machine: RunnerMachine,
  ) {
    this.#images = new Images(parts.imageBytes);
  }

  static async start(parts: JobRunnerParts): Promise<JobRunner> {
    return new JobRunner(parts, await parts.start());
  }

  /**
   * Resolves when the next one may be run. Its `cpuMs` is all that the thread has spent on it until then, loading and a new
   * machine among it: whoever causes it pays.
   * @param input null: only see whether the code can be run
   */
  async work(code: SandboxCode, input: SandboxInput | null): Promise<SandboxResult | CodeCheck> {
    const { cpuMs, onStep, start } = this.parts;
    const startedMs = cpuMs();
    const answer = input === null ? this.#check(code) : this.#run(code, input);
    if (this.machine.isSpoilt) {
      // Images are of the machine that they were taken from.
      this.#images.clear();
      onStep();
      this.machine = await start();
    }
    return answer.kind === 'fits' ? answer : { ...answer, cpuMs: cpuMs() - startedMs };
  }

  forget(transformationId: string): void {
    this.#images.forget(transformationId);
  }

  #check({ code }: SandboxCode) {
    const loaded = this.#load(code);
    return loaded.kind === 'loaded' ? ({ kind: 'fits' } as const) : loaded;
  }

  #run(code: SandboxCode, { eventType, eventId, time, headers, attributes: event, payload }: SandboxInput) {
    const loaded = this.#images.get(code.transformationId, code.version) ?? this.#loadAndKeep(code);
    if (loaded.kind === 'failed') return loaded;
    this.parts.onStep();
    showTime(time);
    const envelope = JSON.stringify({ eventType, eventId, headers, cancel: false, event, seed: seedOf(eventId) });
    return this.machine.run(loaded.image, envelope, payload);
  }

  #load(code: string): Loaded {
    this.parts.onStep();
    // Whatever is evaluated outside of the handler is evaluated once, for no event.
    showTime(0);
    return this.machine.load(code);
  }

  #loadAndKeep({ transformationId, version, code }: SandboxCode): Loaded {
    const loaded = this.#load(code);
    // A busy machine can be why it took too long.
    const isForGood = loaded.kind === 'loaded' || loaded.code !== 'timeout';
    if (isForGood && !this.machine.isSpoilt) this.#images.set(transformationId, version, loaded);
    return loaded;
  }
}

/** The same for the same event, and of another one nobody can tell. */
function seedOf(eventId: string): number[] {
  const digest = hash('sha256', eventId, 'buffer');
  return [0, 4, 8, 12].map((at) => digest.readInt32LE(at));
}
