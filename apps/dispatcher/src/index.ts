import type { AppDefinition } from '#libs/platform';
import { DispatcherModule } from './dispatcher.module.js';

/** Events → deliveries. */
export const dispatcherApp: AppDefinition = {
  name: 'dispatcher',
  modules: [DispatcherModule],
  required: ['databaseUrl'],
  port: (config) => config.dispatcherPort,
};
