export * from './sandbox-job.js';
export { failureText, sandboxInput, transformedEvent, type TransformedEvent } from './transformed-event.js';
export { openSandbox, SandboxFull, type Sandbox, type SandboxOptions, type SandboxStats } from './sandbox.js';
