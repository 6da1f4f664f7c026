import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, renameSync, writeFileSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from '#libs/config';

const here = import.meta.dirname;
const requirements = join(here, 'requirements.txt');

/** What one run found, out of schemathesis' own report. */
export interface FuzzReport {
  /** In words, with what reproduces them; empty where nothing was found. */
  readonly text: string;
  /** Codes of what was found, such as `ST103`. */
  readonly failures: readonly string[];
  readonly testedOperations: number;
  readonly requests: number;
  /** Operations that answered some request with 2xx. */
  readonly acceptedOperations: readonly string[];
}

export interface FuzzOptions {
  readonly document: object;
  readonly url: string;
  readonly bearer: string;
  readonly seed: number;
  /** Requests per operation beside those that cover the document. */
  readonly examples: number;
  readonly phases: readonly ('examples' | 'coverage' | 'fuzzing' | 'stateful')[];
  /** Checks; without them, all that schemathesis.toml leaves. */
  readonly checks?: readonly string[];
  /** Just this operation. */
  readonly operationId?: string;
  /** All but these. */
  readonly without?: readonly string[];
}

/** schemathesis out of PyPI, in the versions of requirements.txt, in a folder that is kept. */
export class Schemathesis {
  private constructor(private readonly folder: string) {}

  /** Installs it, where it is not there yet. @returns why not, with what to run, where it cannot be */
  static async install(): Promise<Schemathesis | string> {
    if ((await python('-m', 'pip', '--version')).code !== 0) await installPip();
    const version = await python('-c', 'import sys; print("%d.%d" % sys.version_info[:2])');
    if (version.code !== 0) return needs('python3', version.output);
    const pins = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12);
    const tools = join(projectRoot(), '.posthorn', 'tools');
    const folder = join(tools, `schemathesis-${pins}-python${version.output.trim()}`);
    if (!existsSync(folder)) {
      mkdirSync(tools, { recursive: true });
      const fresh = mkdtempSync(join(tools, 'installing-'));
      const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--target', fresh];
      const { code, output } = await python(...pip, '--requirement', requirements);
      if (code !== 0) {
        rmSync(fresh, { recursive: true, force: true });
        return needs(`python3 ${pip.slice(0, 3).join(' ')} -r apps/api/test/fuzz/requirements.txt`, output);
      }
      // Another run may have been faster.
      if (existsSync(folder)) rmSync(fresh, { recursive: true, force: true });
      else renameSync(fresh, folder);
    }
    return new Schemathesis(folder);
  }

  /** Rejects when it could not do its work: what it finds is no error. */
  async run(options: FuzzOptions): Promise<FuzzReport> {
    const work = mkdtempSync(join(tmpdir(), 'posthorn-fuzz-'));
    try {
      const document = join(work, 'openapi.json');
      const report = join(work, 'report.json');
      writeFileSync(document, JSON.stringify(options.document));
      const flags: Readonly<Record<string, string | undefined>> = {
        '--url': options.url,
        '--header': `Authorization: Bearer ${options.bearer}`,
        '--phases': options.phases.join(','),
        '--max-examples': String(options.examples),
        '--checks': options.checks?.join(','),
        '--include-operation-id': options.operationId,
        // Of how long it takes to make up data: a machine may be busy.
        '--suppress-health-check': 'all',
        // One after the other, and nothing remembered: the same seed is the same run.
        '--seed': String(options.seed),
        '--workers': '1',
        '--generation-database': 'none',
        '--report': 'json',
        '--report-json-path': report,
      };
      const given = Object.entries(flags).flatMap(([flag, value]) => (value === undefined ? [] : [flag, value]));
      const without = (options.without ?? []).flatMap((id) => ['--exclude-operation-id', id]);
      const config = ['--config-file', join(here, 'schemathesis.toml'), '--no-color'];
      const args = [
        '-m',
        'schemathesis.cli',
        ...config,
        'run',
        document,
        '--no-shrink',
        '--continue-on-failure',
        ...given,
        ...without,
      ];
      const { code, output } = await runToEnd('python3', args, { cwd: work, env: { PYTHONPATH: this.folder } });
      if (!existsSync(report)) throw new Error(`schemathesis ended with ${String(code)}:\n${output.slice(-4_000)}`);
      return readReport(JSON.parse(readFileSync(report, 'utf8')) as Report, output);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  }
}

interface Outcome {
  readonly code: number | string;
  readonly output: string;
}

/** Never rejects: a program that is not there gives its reason as output. */
const runToEnd = (program: string, args: readonly string[], options: { cwd?: string; env?: object } = {}) =>
  new Promise<Outcome>((resolve) => {
    const env = { ...process.env, ...options.env };
    execFile(program, args, { ...options, env, maxBuffer: 2 ** 28 }, (error, stdout, stderr) => {
      const output = `${stdout}${stderr}`;
      resolve({
        code: error === null ? 0 : (error.code ?? 1),
        output: output === '' ? (error?.message ?? '') : output,
      });
    });
  });

const python = (...args: readonly string[]) => runToEnd('python3', args);

const needs = (what: string, output: string): string =>
  `schemathesis could not be installed from PyPI (${output.trim().split('\n').at(-1)?.slice(0, 200) ?? ''}). It needs Python 3.10 ` +
  `or newer with pip: \`sudo apt-get install -y python3 python3-pip\`; then \`${what}\` must work.`;

/** Where we may: as the runtime does with Java. */
async function installPip(): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const apt = ['DEBIAN_FRONTEND=noninteractive', 'apt-get', '-qq'];
  await runToEnd('env', [...apt, 'update']);
  await runToEnd('env', [...apt, 'install', '-y', '--no-install-recommends', 'python3', 'python3-pip']);
}

/** Of what schemathesis writes, what is used here. */
interface Report {
  readonly operations: { readonly tested: number };
  readonly test_cases: { readonly generated: number };
  readonly failures: readonly { readonly code: string }[];
  readonly errors: readonly unknown[];
  readonly valid_rates: Readonly<Record<string, Readonly<Record<string, { readonly accepted: number }>>>>;
}

function readReport(report: Report, output: string): FuzzReport {
  const failures = [...report.failures.map(({ code }) => code), ...report.errors.map(() => 'error')];
  const start = output.search(/^=+ (FAILURES|ERRORS) =+$/m);
  const accepted = Object.entries(report.valid_rates).filter(([, phases]) =>
    Object.values(phases).some((phase) => phase.accepted > 0),
  );
  return {
    text: failures.length === 0 ? '' : shortened(output.slice(Math.max(0, start))),
    failures,
    testedOperations: report.operations.tested,
    requests: report.test_cases.generated,
    acceptedOperations: accepted.map(([operation]) => operation),
  };
}

/** A URL that it made up may have 16 KiB. */
const shortened = (output: string): string =>
  output
    .split('\n')
    .map((line) => (line.length > 600 ? `${line.slice(0, 600)} …` : line))
    .join('\n')
    .slice(0, 20_000);
