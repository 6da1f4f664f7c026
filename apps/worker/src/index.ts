import type { AppDefinition } from '#libs/platform';
import { WorkerModule } from './worker.module.js';

/** Deliveries → HTTP; retries; dead letters. */
export const workerApp: AppDefinition = {
  name: 'worker',
  modules: [WorkerModule],
  port: (config) => config.workerPort,
  required: ['masterKeys'],
};
