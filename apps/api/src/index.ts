import type { AppDefinition } from '#libs/platform';
import { ApiModule } from './api.module.js';

/** The REST API as a process of its own, or as a part of standalone. */
export const apiApp: AppDefinition = {
  name: 'api',
  modules: [ApiModule],
  port: (config) => config.apiPort,
  required: ['databaseUrl', 'operatorKey', 'masterKeys'],
};
