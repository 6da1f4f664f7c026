import variant from '@jitl/quickjs-wasmfile-release-sync';
import {
  newQuickJSWASMModuleFromVariant,
  newVariant,
  type QuickJSContext,
  type QuickJSHandle,
  type QuickJSSyncVariant,
} from 'quickjs-emscripten-core';
import { answerOf, codeName, exceeded, failed, type MachineAnswer } from './machine-answer.js';
import { machineMemory, MemoryImage } from './memory-image.js';
import { preludeOf } from './prelude.js';
import type { SandboxLimits } from './sandbox-job.js';
import { cpuMs } from './thread-clock.js';

type Failed = Extract<MachineAnswer, { readonly kind: 'failed' }>;

/** What is evaluated before the handler is called has to be put back before each call. */
const maxKeptBytes = 4 * 1024 * 1024;

/** The machine as it stands when some code was evaluated and its handler was found. */
export type Loaded = { readonly kind: 'loaded'; readonly image: MemoryImage } | Failed;

/**
 * One QuickJS in its own WebAssembly memory. Before each run that memory is put back to what it was right after the code was
 * evaluated: a run finds nothing of an earlier one, whatever that did, was cut off at or ran out of, and neither a context
 * has to be made nor code to be compiled (docs/decisions/0011-sandbox.md). Nothing that was handed out by the machine since
 * then may be used after it, so handles are left behind and never freed.
 */
export class Machine {
  readonly #base: MemoryImage;
  readonly #prelude: Record<'attach' | 'run' | 'describe', QuickJSHandle>;
  #startedMs = 0;
  #deadline = 0;
  #interrupted = false;
  #spoilt = false;

  private constructor(
    private readonly memory: WebAssembly.Memory,
    private readonly context: QuickJSContext,
    private readonly limits: SandboxLimits,
  ) {
    context.runtime.setMemoryLimit(limits.memoryBytes);
    context.runtime.setMaxStackSize(limits.stackBytes);
    context.runtime.setInterruptHandler(() => this.#isOver());
    this.#begin();
    const prelude = context.unwrapResult(context.evalCode(preludeOf(limits), 'prelude.js', { type: 'global' }));
    this.#prelude = {
      attach: context.getProp(prelude, 'attach'),
      run: context.getProp(prelude, 'run'),
      describe: context.getProp(prelude, 'describe'),
    };
    this.#base = MemoryImage.of(memory);
  }

  static async start(limits: SandboxLimits): Promise<Machine> {
    const memory = machineMemory();
    // Its types are those of its CommonJS form, where this would be the module.
    const build = newVariant(variant as unknown as QuickJSSyncVariant, { wasmMemory: memory });
    const module = await newQuickJSWASMModuleFromVariant(build);
    return new Machine(memory, module.newContext(), limits);
  }

  /** Nothing may be run any more: WebAssembly itself gave up in the middle. */
  get isSpoilt(): boolean {
    return this.#spoilt;
  }

  /** Evaluates `code`, and looks for its handler without calling it. */
  load(code: string): Loaded {
    this.#base.restoreAndPaint(this.memory);
    return this.#guarded((): Loaded => {
      const evaluated = this.context.evalCode(code, codeName, { type: 'global' });
      if (evaluated.error !== undefined) return this.#failureOf(evaluated.error);
      const found = this.context.evalCode(`typeof handler === 'function' ? handler : undefined`, 'prelude.js', {
        type: 'global',
      });
      if (found.error !== undefined) return this.#failureOf(found.error);
      if (this.context.typeof(found.value) !== 'function') {
        return failed('no-handler', 'there is no function named handler');
      }
      this.context.callFunction(this.#prelude.attach, this.context.undefined, found.value);
      const image = MemoryImage.of(this.memory);
      if (image.bytes - this.#base.bytes <= maxKeptBytes) return { kind: 'loaded', image };
      return failed('memory', `outside of its handler it keeps more than ${maxKeptBytes} bytes`);
    });
  }

  /** @param envelope JSON text: all of the webhook but its payload, and `seed`, four 32-bit numbers */
  run(image: MemoryImage, envelope: string, payload: string): MachineAnswer {
    image.restore(this.memory);
    return this.#guarded((): MachineAnswer => {
      const { context } = this;
      const texts = [context.newString(envelope), context.newString(payload)];
      const result = context.callFunction(this.#prelude.run, context.undefined, ...texts);
      // The prelude catches all that can be caught.
      if (result.error !== undefined) return this.#cutOff('memory');
      return answerOf(context.getString(result.value), this.limits);
    });
  }

  /** Also for what was thrown: looking at it may run the code's own functions. */
  #failureOf(thrown: QuickJSHandle): Failed {
    if (this.#interrupted) return this.#cutOff('timeout');
    const { context } = this;
    const text = context.callFunction(this.#prelude.describe, context.undefined, thrown, context.true);
    if (text.error !== undefined) return this.#cutOff('memory');
    const answer = answerOf(context.getString(text.value), this.limits);
    return answer.kind === 'failed' ? answer : failed('threw', 'something was thrown');
  }

  /** Runs work in the machine, which may end in the middle of it. */
  #guarded<T>(work: () => T): T | Failed {
    this.#begin();
    try {
      const result = work();
      // Also where nothing could interrupt it: it took more than it may.
      return this.#isOver() ? this.#cutOff('timeout') : result;
    } catch (error) {
      // A frame of WebAssembly was left without being unwound.
      this.#spoilt = true;
      if (this.#interrupted || error instanceof RangeError) return this.#cutOff('stack');
      // Whatever it was, it came from this code: nobody else is to wait for it.
      return failed('memory', 'it broke the machine that ran it');
    }
  }

  #cutOff(otherwise: 'timeout' | 'memory' | 'stack'): Failed {
    const code = this.#interrupted ? 'timeout' : otherwise;
    return failed(code, exceeded(code, this.limits));
  }

  #begin(): void {
    this.#interrupted = false;
    this.#startedMs = cpuMs();
    this.#deadline = performance.now() + this.limits.runMs;
  }

  /** Asked now and then while code runs. A thread that had to wait for a core is given what it has not used. */
  #isOver(): boolean {
    const now = performance.now();
    if (now < this.#deadline) return false;
    const left = this.limits.runMs - (cpuMs() - this.#startedMs);
    if (left > 0) {
      this.#deadline = now + left;
      return false;
    }
    this.#interrupted = true;
    return true;
  }
}
