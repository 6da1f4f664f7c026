import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { loadConfig, type Config } from '#libs/config';
import { createTopics } from './create-topics.js';
import { applyAllSchemas, deploy, migrateTables } from './deploy.js';
import { openIncarnation, type IncarnationRequest } from './open-incarnation.js';
import { openPositions, type PositionsRequest } from './open-positions.js';
import type { Report } from './report.js';

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
    process.stderr.write(`${wordsFor(error)}\n`);
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

  posthorn
    .command('schemas')
    .description('the schema registry')
    .command('apply')
    .description("register the platform's schemas and schemas/events, with their compatibility rules")
    .action(() => applyAllSchemas(load('schemaRegistryUrl'), report));

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
    .action((request: IncarnationRequest) => openIncarnation(load('kafkaBrokers'), request, report));

  posthorn
    .command('positions')
    .description('where workers go on')
    .command('open')
    .description('decide where a partition of deliveries goes on after an alarm; stop all workers first')
    .requiredOption('--partition <number>', 'partition of the deliveries topic', wholeNumber)
    .requiredOption('--at <position>', 'earliest, latest or an offset', position)
    .option('--era <number>', 'number of the new era, where an old one cannot be read', wholeNumber)
    .action((request: PositionsRequest) => openPositions(load('kafkaBrokers', 'schemaRegistryUrl'), request, report));

  return posthorn;
}

const load = (...required: (keyof Config)[]): Config => loadConfig(required);

function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('must be a whole number.');
  return Number(text);
}

const position = (text: string): IncarnationRequest['at'] =>
  text === 'earliest' || text === 'latest' ? text : wholeNumber(text);

/** What an operator can mend is said in words; a bug shows where it is. */
function wordsFor(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const bug = error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError;
  return bug ? (error.stack ?? error.message) : error.message;
}
