/** What a transformation is given of an event. */
export interface SandboxInput {
  readonly eventType: string;
  readonly eventId: string;
  /** Unix milliseconds: what every clock shows to the handler. */
  readonly time: number;
  /** JSON text. */
  readonly payload: string;
  /** Those of the format; none that the worker sets itself. Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** The event's context attributes, for reading. */
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
}

export interface SandboxCode {
  /** Shares its turn with no other one: one thread at most, round robin between them. */
  readonly transformationId: string;
  /** The same id and version are always the same code. */
  readonly version: number;
  readonly code: string;
}

export interface SandboxJob extends SandboxCode {
  readonly input: SandboxInput;
}

/**
 * `timeout`, `memory` and `stack`: a limit of running; `output`: more than may be sent; `threw`: the code did;
 * `invalid-result`: what it returned is no webhook; `syntax` and `no-handler`: it cannot be run at all.
 */
export type SandboxFailureCode =
  'timeout' | 'memory' | 'stack' | 'output' | 'threw' | 'invalid-result' | 'syntax' | 'no-handler';

export interface SandboxDone {
  readonly kind: 'done';
  /** JSON text; `null` when cancelled. */
  readonly payload: string;
  /** Names in lower case; none when cancelled. */
  readonly headers: Readonly<Record<string, string>>;
  /** The delivery is not to be made. */
  readonly cancelled: boolean;
  /** What it wrote to its console, bounded. */
  readonly logs: readonly string[];
  /** All that a thread has spent on it, from its begin until the next one could be run. */
  readonly cpuMs: number;
}

export interface SandboxFailed {
  readonly kind: 'failed';
  readonly code: SandboxFailureCode;
  /** For the customer: at most 500 characters, nothing of the host. */
  readonly message: string;
  /** Of the code, from 1, when it is known. */
  readonly line?: number;
  /** What it wrote before it failed; empty when it was cut off. */
  readonly logs: readonly string[];
  readonly cpuMs: number;
}

export type SandboxResult = SandboxDone | SandboxFailed;

/** Whether code can be run: it was evaluated, its handler was not called. */
export type CodeCheck = { readonly kind: 'fits' } | SandboxFailed;

export interface SandboxLimits {
  /** Of running, in CPU time, for one call of the handler, and for evaluating the code before its first. */
  readonly runMs: number;
  /** Beyond `runMs`, until a thread that does not answer is ended. */
  readonly graceMs: number;
  /** Of the heap that the code has. */
  readonly memoryBytes: number;
  readonly stackBytes: number;
  /** Of the payload, as UTF-8. */
  readonly outputBytes: number;
  readonly headerCount: number;
  /** Names and values together. */
  readonly headerBytes: number;
  readonly logLines: number;
  readonly logChars: number;
}

export const sandboxLimits: SandboxLimits = {
  runMs: 50,
  graceMs: 450,
  memoryBytes: 16 * 1024 * 1024,
  stackBytes: 256 * 1024,
  outputBytes: 256 * 1024,
  headerCount: 50,
  headerBytes: 8 * 1024,
  logLines: 100,
  logChars: 8 * 1024,
};
