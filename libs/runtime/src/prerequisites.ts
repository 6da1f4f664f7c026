import { runToEnd } from './run-to-end.js';

/** The oldest Java that Kafka 4 and Apicurio Registry 3.0 run on. */
const JAVA_AT_LEAST = 17;

export interface PrerequisiteOptions {
  /** Maven is needed only until the jars are there. Default true. */
  readonly maven?: boolean;
  readonly onProgress?: (line: string) => void;
}

/**
 * Makes sure that Java (17 or newer) and Maven are there. What is missing is installed by apt when we are root on a
 * Debian-like system.
 *
 * @throws Error naming the exact command to run where we cannot install it ourselves.
 */
export async function checkPrerequisites(options: PrerequisiteOptions = {}): Promise<void> {
  const needMaven = options.maven ?? true;
  const missing = await findMissing(needMaven);
  if (missing.length === 0) return;
  const mayInstall = process.getuid?.() === 0 && (await isThere('apt-get'));
  if (!mayInstall) throw new Error(instructions(missing, process.platform, await isThere('apt-get')));
  options.onProgress?.(`Installing ${missing.join(' and ')} through apt ...`);
  await installByApt(missing);
  const still = await findMissing(needMaven);
  if (still.length > 0) throw new Error(`apt installed it, but ${still.join(' and ')} still cannot be used`);
}

type Prerequisite = 'Java' | 'Maven';

async function findMissing(needMaven: boolean): Promise<Prerequisite[]> {
  const missing: Prerequisite[] = [];
  const java = await runToEnd('java', ['-version']);
  if (java.code !== 0 || javaMajorVersion(java.output) < JAVA_AT_LEAST) missing.push('Java');
  if (needMaven && (await runToEnd('mvn', ['-version'])).code !== 0) missing.push('Maven');
  return missing;
}

/** The major version in what `java -version` prints; 0 when there is none. `1.8.0_292` is 1. */
export function javaMajorVersion(output: string): number {
  return Number(/version "(\d+)/.exec(output)?.[1] ?? 0);
}

/** What to tell someone whose machine lacks something that we may not install. */
export function instructions(missing: readonly Prerequisite[], platform: NodeJS.Platform, apt: boolean): string {
  const debian = missing.map((name) => (name === 'Java' ? 'openjdk-17-jre-headless' : 'maven')).join(' ');
  const brew = missing.map((name) => (name === 'Java' ? 'openjdk@17' : 'maven')).join(' ');
  const command = apt
    ? `sudo apt-get install -y ${debian}`
    : platform === 'darwin'
      ? `brew install ${brew}`
      : `your package manager, for: ${missing.join(', ')}`;
  return [
    `The embedded runtime needs ${missing.join(' and ')} (Java ${JAVA_AT_LEAST} or newer). Install with: ${command}`,
    'Or use services of your own: set KAFKA_BROKERS, SCHEMA_REGISTRY_URL and DATABASE_URL.',
  ].join('\n');
}

async function installByApt(missing: readonly Prerequisite[]): Promise<void> {
  const apt = (...args: string[]) => runToEnd('env', ['DEBIAN_FRONTEND=noninteractive', 'apt-get', '-qq', ...args]);
  await apt('update');
  const packages: string[] = [];
  if (missing.includes('Java')) packages.push(await firstKnown(['openjdk-17-jre-headless', 'openjdk-21-jre-headless']));
  if (missing.includes('Maven')) packages.push('maven');
  const { code, output } = await apt('install', '-y', '--no-install-recommends', ...packages);
  if (code !== 0) throw new Error(`apt-get install ${packages.join(' ')} failed:\n${output.slice(-2000)}`);
}

/** The first package that this release knows: Debian 13 has no Java 17, Debian 12 no Java 21. */
async function firstKnown(candidates: readonly string[]): Promise<string> {
  for (const name of candidates) {
    if ((await runToEnd('apt-cache', ['show', name])).code === 0) return name;
  }
  return 'default-jre-headless';
}

async function isThere(program: string): Promise<boolean> {
  return (await runToEnd(program, ['--version'])).code === 0;
}
