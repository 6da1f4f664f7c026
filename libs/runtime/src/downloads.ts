import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync, existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkPrerequisites } from './prerequisites.js';
import { isAlive } from './process-alive.js';
import { projectRoot } from './project-root.js';
import { mustRun, runToEnd } from './run-to-end.js';

const KAFKA_VERSION = '4.3.1';
const REGISTRY_VERSION = '3.0.9';

/** 2.10 is the newest `copy` that does not want the parent pom of an artifact; Apicurio's parent is not published. */
const MAVEN_COPY = 'org.apache.maven.plugins:maven-dependency-plugin:2.10';

/** slf4j-simple: Kafka's own binding wants a configuration file, this one takes its level from the command line. */
const KAFKA_POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>posthorn</groupId>
  <artifactId>runtime</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>${KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-simple</artifactId>
      <version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
`;

interface Download {
  readonly name: string;
  readonly title: string;
  /** Puts the files into an empty folder. */
  readonly fill: (folder: string) => Promise<void>;
}

const KAFKA: Download = {
  name: `kafka-${KAFKA_VERSION}`,
  title: `Apache Kafka ${KAFKA_VERSION}`,
  fill: async (folder) => {
    const pom = join(folder, 'pom.xml');
    writeFileSync(pom, KAFKA_POM);
    const jars = join(folder, 'libs');
    await maven(['-f', pom, `${MAVEN_COPY}:copy-dependencies`, `-DoutputDirectory=${jars}`, '-DincludeScope=runtime']);
  },
};

const REGISTRY: Download = {
  name: `apicurio-registry-${REGISTRY_VERSION}`,
  title: `Apicurio Registry ${REGISTRY_VERSION}`,
  fill: async (folder) => {
    const artifact = `io.apicurio:apicurio-registry-app:${REGISTRY_VERSION}:tar.gz:all`;
    await maven([`${MAVEN_COPY}:copy`, `-Dartifact=${artifact}`, `-DoutputDirectory=${folder}`], folder);
    const archive = join(folder, `apicurio-registry-app-${REGISTRY_VERSION}-all.tar.gz`);
    await mustRun('tar', ['-xzf', archive, '-C', folder]);
    rmSync(archive);
  },
};

/**
 * The folder with Kafka's jars; fetched from Maven Central the first time.
 *
 * @throws Error with Maven's output, or what to install.
 */
export async function kafkaJars(onProgress?: (line: string) => void): Promise<string> {
  return join(await fetchOnce(KAFKA, onProgress), 'libs');
}

/** The runnable jar of the schema registry; fetched from Maven Central the first time. Errors as {@link kafkaJars}. */
export async function registryJar(onProgress?: (line: string) => void): Promise<string> {
  return join(await fetchOnce(REGISTRY, onProgress), `apicurio-registry-app-${REGISTRY_VERSION}-runner.jar`);
}

/** True when everything named is on this machine already, so that Maven is not needed. */
export function isDownloaded(what: { readonly kafka: boolean; readonly registry: boolean }): boolean {
  return (!what.kafka || existsSync(folderOf(KAFKA))) && (!what.registry || existsSync(folderOf(REGISTRY)));
}

function folderOf(download: Download): string {
  return join(projectRoot(), '.posthorn', 'runtime', download.name);
}

/** Fills a sibling folder, then renames it: what stands under the final name is whole, whoever else is fetching. */
async function fetchOnce(download: Download, onProgress?: (line: string) => void): Promise<string> {
  const folder = folderOf(download);
  if (existsSync(folder)) return folder;
  await checkPrerequisites(onProgress ? { onProgress } : {});
  onProgress?.(`Fetching ${download.title} (once) ...`);
  const parent = dirname(folder);
  mkdirSync(parent, { recursive: true });
  removeAbandoned(parent);
  const half = join(parent, `.${download.name}.${process.pid}`);
  rmSync(half, { recursive: true, force: true });
  mkdirSync(half);
  try {
    await download.fill(half);
    renameSync(half, folder);
  } catch (error) {
    // Another start may have been faster: then its folder is as good as ours.
    if (!existsSync(folder)) throw error;
  } finally {
    rmSync(half, { recursive: true, force: true });
  }
  return folder;
}

/** Half-made folders of processes that were killed while they fetched. */
function removeAbandoned(parent: string): void {
  for (const name of readdirSync(parent)) {
    const pid = /^\..*\.(\d+)$/.exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) rmSync(join(parent, name), { recursive: true, force: true });
  }
}

/** Two Maven processes may meet in an empty local repository, and a network may hiccup: one more try. */
async function maven(args: readonly string[], cwd?: string): Promise<void> {
  const run = ['-B', '-q', ...args];
  const options = cwd === undefined ? {} : { cwd };
  if ((await runToEnd('mvn', run, options)).code === 0) return;
  await sleep(1000);
  await mustRun('mvn', ['-U', ...run], options);
}
