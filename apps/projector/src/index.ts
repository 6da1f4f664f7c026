import type { AppDefinition } from '#libs/platform';
import { ProjectorModule } from './projector.module.js';

export { runRebuild } from './rebuild-process.js';

/** The projector: attempts and dead letters → Postgres. */
export const projectorApp: AppDefinition = {
  name: 'projector',
  modules: [ProjectorModule],
  port: (config) => config.projectorPort,
  required: ['databaseUrl'],
};
