import { readFileSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { loadConfig, type Config } from '#libs/config';
import { applyOffsets, type ApplyRequest } from './apply-offsets.js';
import { audited } from './audited.js';
import { connectBrokers } from './broker.js';
import { createTopics } from './create-topics.js';
import { deploy, migrateTables } from './deploy.js';
import { openIncarnation, type IncarnationRequest } from './open-incarnation.js';
import { openPositions, type PositionsRequest } from './open-positions.js';
import { redactedText } from '#libs/observability';
import { CursorRelocation, type CursorRecord } from '#libs/persistence';
import { withDatabase } from './database.js';
import { parsePlan, parseSaved, planOffsets, type GroupName } from './offsets-plan.js';
import { savePositions } from './offsets-save.js';
import { publishConfiguration } from './publish-configuration.js';
import { rebuildProjection, type RebuildRequest } from './rebuild-projection.js';
import { reencryptSecrets, type ReencryptRequest } from './reencrypt-secrets.js';
import { CommandFailed, type Report } from './report.js';
import { verifyAudit, type VerifyRequest } from './verify-audit.js';
import { addSchemas } from './schema-commands.js';

const report: Report = (line) => {
  process.stdout.write(`${line}\n`);
};

/** `posthorn …`. @returns the exit code: 0, 1 when the work could not be done, 2 when the call was wrong */
export async function runCli(args: readonly string[]): Promise<number> {
  try {
    await program().parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    // commander has said it already; its code is 0 for --help.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    process.stderr.write(`${redactedText(wordsFor(error))}\n`);
    return 1;
  }
}

function program(): Command {
  const posthorn = new Command('posthorn')
    .description(
      'What an operator of Posthorn does by hand. Settings are those of the apps: see docs/configuration.md.',
    )
    .exitOverride()
    .showHelpAfterError();

  posthorn
    .command('deploy')
    .description('everything that must be there before the apps start: topics, schemas, tables')
    .action(() => deploy(load('kafkaBrokers', 'schemaRegistryUrl', 'databaseUrl'), report));

  posthorn
    .command('topics')
    .description('the topics')
    .command('create')
    .description('create what is missing; fail on what is there but different')
    .action(() => createTopics(load('kafkaBrokers'), report));

  addSchemas(posthorn, report);

  posthorn
    .command('migrate')
    .description('bring the tables up to date')
    .action(() => migrateTables(load('databaseUrl'), report));

  posthorn
    .command('incarnation')
    .description('the log that positions belong to')
    .command('open')
    .description('decide where a partition of events goes on after an alarm; stop all dispatchers first')
    .requiredOption('--partition <number>', 'partition of the events topic', wholeNumber)
    .requiredOption('--at <position>', 'earliest, latest or an offset', position)
    .option('--incarnation <number>', 'number of the new incarnation, where the old one cannot be read', wholeNumber)
    .action((request: IncarnationRequest) => {
      const config = load('kafkaBrokers', 'databaseUrl');
      const note = { action: 'incarnation.opened', resource: `events/${request.partition}`, asked: request };
      return audited(config, note, report, () => openIncarnation(config, request, report));
    });

  posthorn
    .command('positions')
    .description('where workers go on')
    .command('open')
    .description('decide where a partition of deliveries goes on after an alarm; stop all workers first')
    .requiredOption('--partition <number>', 'partition of the deliveries topic', wholeNumber)
    .requiredOption('--at <position>', 'earliest, latest or an offset', position)
    .option('--era <number>', 'number of the new era, where an old one cannot be read', wholeNumber)
    .action((request: PositionsRequest) => {
      const config = load('kafkaBrokers', 'schemaRegistryUrl');
      const note = { action: 'positions.opened', resource: `deliveries/${request.partition}`, asked: request };
      return audited(config, note, report, () => openPositions(config, request, report));
    });

  posthorn
    .command('projection')
    .description('the delivery log in PostgreSQL')
    .command('rebuild')
    .description(
      'make it anew from the log, beside the one in use, and put it in its place; everything goes on meanwhile',
    )
    .option('--drop-older', 'leave behind the rows that are older than the log; without it they are kept')
    .action((request: RebuildRequest) => {
      const note = { action: 'projection.rebuilt', resource: 'projection', asked: request };
      return audited(load('databaseUrl'), note, report, () => rebuildProjection(request));
    });

  posthorn
    .command('configuration')
    .description('tenants and endpoints in the log')
    .command('publish')
    .description('have an api publish all of it once more, as PostgreSQL has it')
    .action(() => {
      const config = load('kafkaBrokers', 'databaseUrl');
      const note = { action: 'configuration.published', resource: 'configuration', asked: {} };
      return audited(config, note, report, () => publishConfiguration(config, report));
    });

  posthorn
    .command('audit')
    .description('who changed what')
    .command('verify')
    .description('walk the audit log; name the first broken entry of each chain, and exit with 1 if there is any')
    .option('--tenant <id>', "this tenant's entries alone")
    .option('--topic', 'compare them with the audit topic too, which whoever owns the database cannot change')
    .action((request: VerifyRequest) =>
      verifyAudit(
        request.topic === true ? load('databaseUrl', 'kafkaBrokers', 'schemaRegistryUrl') : load('databaseUrl'),
        request,
        report,
      ),
    );

  posthorn
    .command('secrets')
    .description("the endpoints' secrets")
    .command('reencrypt')
    .description('seal all of them with the newest master key; everything goes on meanwhile')
    .option('--batch <number>', 'endpoints of one transaction', countingNumber, 100)
    .action((request: ReencryptRequest) => {
      const config = load('kafkaBrokers', 'schemaRegistryUrl', 'databaseUrl', 'masterKeys');
      const note = { action: 'secrets.reencrypted', resource: 'secrets', asked: request };
      return audited(config, note, report, () => reencryptSecrets(config, request, report));
    });

  addOffsets(posthorn);
  return posthorn;
}

interface PlanOptions {
  readonly group: GroupName;
  readonly at?: number;
  readonly saved?: string;
  readonly margin: number;
}

/** The move to another cluster: docs/operations.md. */
function addOffsets(posthorn: Command): void {
  const group = (): Option =>
    new Option('--group <name>', 'whose positions')
      .choices(['dispatcher', 'worker', 'projector'])
      .makeOptionMandatory();
  const offsets = posthorn.command('offsets').description("groups' positions, for a move to another cluster");
  offsets
    .command('save')
    .description('print how far a group has come, by time: keep it where a disaster does not reach it')
    .addOption(group())
    .action(async ({ group: name }: { group: GroupName }) => {
      const config = loadFor(name);
      const cursors = await cursorsOf(name, config);
      print(await savePositions(connectBrokers(config), config, { group: name, cursors, now: Date.now }));
    });
  offsets
    .command('plan')
    .description('print where a group goes on in this cluster; change nothing')
    .addOption(group())
    .option('--at <time>', 'everything that was appended before is done, such as 2026-05-01T12:00:00Z', time)
    .option('--saved <file>', 'instead: what `offsets save` printed in the other cluster')
    .option(
      '--margin <seconds>',
      'go back by so much more, for what the mirror lacked and for clocks',
      wholeNumber,
      300,
    )
    .action(async ({ group: name, at, saved, margin }: PlanOptions) => {
      const config = loadFor(name);
      if ((at === undefined) === (saved === undefined)) throw new CommandFailed('give either --at or --saved');
      const from = saved === undefined ? at : parseSaved(readFileSync(saved, 'utf8'));
      const cursors = await cursorsOf(name, config);
      const request = { group: name, from: from ?? 0, marginSeconds: margin, cursors };
      print(await planOffsets(connectBrokers(config), config, request));
    });
  offsets
    .command('apply')
    .description("set a group's positions by a plan; stop all of its members first")
    .argument('<file>', 'what `offsets plan` printed')
    .option('--drop-unknown', 'workers: leave behind deliveries of endpoints that this cluster does not know')
    .action((file: string, request: ApplyRequest) => {
      const config = load('kafkaBrokers', 'schemaRegistryUrl', 'databaseUrl');
      const note = {
        action: 'offsets.applied',
        resource: 'offsets',
        asked: { ...request, plan: parsePlan(readFileSync(file, 'utf8')) },
      };
      return audited(config, note, report, () => applyOffsets(config, file, request, report));
    });
}

const print = (value: object): void => report(JSON.stringify(value, null, 2));

const load = (...required: (keyof Config)[]): Config => loadConfig(required);
const loadFor = (group: GroupName): Config =>
  group === 'dispatcher' ? load('kafkaBrokers', 'databaseUrl') : load('kafkaBrokers');

/** The dispatchers' other positions: of endpoints that do not follow a partition live. */
async function cursorsOf(group: GroupName, config: Config): Promise<readonly CursorRecord[]> {
  if (group !== 'dispatcher') return [];
  return withDatabase(config, (database) => new CursorRelocation(database).list());
}

function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('must be a whole number.');
  return Number(text);
}

function countingNumber(text: string): number {
  if (wholeNumber(text) === 0) throw new InvalidArgumentError('must be 1 or more.');
  return Number(text);
}

function time(text: string): number {
  const at = /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at)) throw new InvalidArgumentError('must be a time such as 2026-05-01T12:00:00Z.');
  return at;
}

const position = (text: string): IncarnationRequest['at'] =>
  text === 'earliest' || text === 'latest' ? text : wholeNumber(text);

/** What an operator can mend is said in words; a bug shows where it is. */
function wordsFor(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const bug = error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError;
  return bug ? (error.stack ?? error.message) : error.message;
}
