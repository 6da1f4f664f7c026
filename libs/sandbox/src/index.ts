export * from './sandbox-job.js';
export { openSandbox, SandboxFull, type Sandbox, type SandboxOptions, type SandboxStats } from './sandbox.js';
