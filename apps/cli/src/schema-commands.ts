import { join } from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import { loadConfig, projectRoot } from '#libs/config';
import { registryOf } from '#libs/platform';
import { applyAllSchemas } from './deploy.js';
import type { Report } from './report.js';
import { checkSchemas, type CheckRequest } from './schema-check.js';
import { diffSchemas, showSchema } from './schema-show.js';

interface CheckOptions {
  readonly folder: string;
  readonly ref?: string;
  readonly registry?: string;
  readonly offline?: boolean;
}

/** `posthorn schemas …`: docs/evolving-events.md. */
export function addSchemas(posthorn: Command, report: Report): void {
  const schemas = posthorn.command('schemas').description('the schema registry and the catalogue of events');
  const folder = ['--folder <path>', 'where the event schemas lie', join(projectRoot(), 'schemas/events')] as const;
  schemas
    .command('apply')
    .description("register the platform's schemas and schemas/events, with their compatibility rules")
    .action(() => applyAllSchemas(loadConfig(['schemaRegistryUrl']), report));
  schemas
    .command('check')
    .description('whether the event schemas may be released: against themselves, git, the registry, and endpoints')
    .option(...folder)
    .option('--ref <commit>', 'compare with this commit instead of the one before the last change')
    .option('--registry <url>', 'ask this registry too; default: SCHEMA_REGISTRY_URL, if it is set')
    .option('--offline', 'files and git only')
    .action((options: CheckOptions) => checkSchemas(checkRequest(options), report));
  schemas
    .command('show')
    .description('an event type: who owns it, its versions, its fields, an example')
    .argument('<type>', 'such as task.updated')
    .option(...folder)
    .action((type: string, options: CheckOptions) => showSchema(options.folder, type, report));
  schemas
    .command('diff')
    .description('how two versions of an event type differ')
    .argument('<type>', 'such as task.updated')
    .argument('<a>', 'a version', versionNumber)
    .argument('<b>', 'another one', versionNumber)
    .option(...folder)
    .action((type: string, a: number, b: number, options: CheckOptions) =>
      diffSchemas(options.folder, { type, a, b }, report),
    );
}

/** The registry and the database are asked where settings name them. */
function checkRequest({ folder, ref, registry, offline = false }: CheckOptions): CheckRequest {
  const request = { folder, ...(ref === undefined ? {} : { ref }) };
  if (offline) return request;
  const config = loadConfig();
  const registryUrl = registry ?? config.schemaRegistryUrl;
  return {
    ...request,
    ...(registryUrl === '' ? {} : { registry: { ...registryOf(config), registryUrl } }),
    ...(config.databaseUrl === '' ? {} : { database: config }),
  };
}

function versionNumber(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('must be the number of a version.');
  return Number(text);
}
