import type { CodeCheck, SandboxCode, SandboxInput, SandboxLimits, SandboxResult } from './sandbox-job.js';

/** What the sandbox gives its thread when it starts it. */
export interface ThreadSetup {
  readonly limits: SandboxLimits;
  /** Images of loaded code that a thread keeps. */
  readonly imageBytes: number;
  /** One number that the thread raises before each step that is bounded in time. */
  readonly steps: SharedArrayBuffer;
}

export type ToThread =
  | {
      readonly kind: 'work';
      readonly code: SandboxCode;
      /** Null: only see whether the code can be run. */
      readonly inputs: readonly (SandboxInput | null)[];
    }
  | { readonly kind: 'forget'; readonly transformationId: string };

/** `ready` with what it took to start; then one result for each input, in their order. */
export type FromThread =
  | { readonly kind: 'ready'; readonly cpuMs: number }
  | { readonly kind: 'result'; readonly result: SandboxResult | CodeCheck };
