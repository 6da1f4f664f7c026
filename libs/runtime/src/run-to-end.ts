import { spawn } from 'node:child_process';

export interface Outcome {
  /** Null when the program could not be started or was killed by a signal. */
  readonly code: number | null;
  /** Standard output and standard error, as they came. */
  readonly output: string;
}

export interface RunToEndOptions {
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
}

/** Runs a program to its end. Never rejects: a program that is not there gives code null and the reason as output. */
export function runToEnd(command: string, args: readonly string[], options: RunToEndOptions = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const collect = (chunk: Buffer): void => {
      output += chunk.toString('utf8');
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.on('error', (error) => resolve({ code: null, output: `${output}${error.message}` }));
    child.on('close', (code) => resolve({ code, output }));
  });
}

/** As {@link runToEnd}, but throws with the program's output when it does not end with 0. */
export async function mustRun(
  command: string,
  args: readonly string[],
  options: RunToEndOptions = {},
): Promise<string> {
  const { code, output } = await runToEnd(command, args, options);
  if (code !== 0) throw new Error(`${command} ended with ${code ?? 'no status'}:\n${lastLines(output, 25)}`);
  return output;
}

/** The last `count` lines of a text. */
export function lastLines(text: string, count: number): string {
  return text.trimEnd().split('\n').slice(-count).join('\n');
}
