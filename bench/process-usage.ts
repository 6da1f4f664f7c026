import { readdirSync, readFileSync } from 'node:fs';
import { rounded } from './statistics.js';

export interface ProcessUsage {
  /** User and system time, over the measured part. */
  readonly cpuSeconds: number;
  /** Largest resident set since the process began; of the largest one where there are several. */
  readonly peakMemoryMb: number;
}

/** Linux counts in hundredths of a second (USER_HZ), whatever the kernel's own clock. */
const ticksPerSecond = 100;

/**
 * Starts measuring named processes, each with its descendants. Linux only: elsewhere the result is empty.
 * @returns what was used since; processes that are not there are left out
 */
export function usageMeter(pids: Readonly<Record<string, number>>): () => Record<string, ProcessUsage> {
  const before = cpuSeconds(pids);
  return () => {
    const after = cpuSeconds(pids);
    const usage: Record<string, ProcessUsage> = {};
    for (const [name, seconds] of Object.entries(after)) {
      const peakMemoryMb = Math.max(...withDescendants(pids[name] ?? 0).map(peakMemory));
      usage[name] = { cpuSeconds: rounded(Math.max(0, seconds - (before[name] ?? 0)), 2), peakMemoryMb };
    }
    return usage;
  };
}

/** Children of this process by a part of their command line. */
export function findChildren(marks: Readonly<Record<string, string>>): Record<string, number> {
  const found: Record<string, number> = {};
  for (const pid of childrenOf(process.pid)) {
    const command = commandLine(pid).join(' ');
    for (const [name, mark] of Object.entries(marks)) if (command.includes(mark)) found[name] = pid;
  }
  return found;
}

/** Arguments of a process, its program first; empty when it is gone. */
export function commandLine(pid: number): readonly string[] {
  return read(`/proc/${pid}/cmdline`).split('\0');
}

function cpuSeconds(pids: Readonly<Record<string, number>>): Record<string, number> {
  const seconds: Record<string, number> = {};
  for (const [name, pid] of Object.entries(pids)) {
    const known = withDescendants(pid).filter((one) => statFields(one).length > 0);
    if (known.length === 0) continue;
    // proc_pid_stat(5): utime and stime are fields 14 and 15; ours begin with the third.
    const ticks = known.map(statFields).map((fields) => Number(fields[11] ?? 0) + Number(fields[12] ?? 0));
    seconds[name] = ticks.reduce((sum, value) => sum + value, 0) / ticksPerSecond;
  }
  return seconds;
}

/** Of this process, which has started all others, only itself. */
function withDescendants(pid: number): readonly number[] {
  return pid === process.pid ? [pid] : [pid, ...childrenOf(pid).flatMap(withDescendants)];
}

function childrenOf(pid: number): readonly number[] {
  return tasksOf(pid).flatMap((task) =>
    read(`/proc/${pid}/task/${task}/children`).split(' ').filter(Boolean).map(Number),
  );
}

function tasksOf(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** From the third field on: the second, the command in parentheses, may hold spaces. */
function statFields(pid: number): readonly string[] {
  const text = read(`/proc/${pid}/stat`);
  return text === '' ? [] : text.slice(text.lastIndexOf(')') + 2).split(' ');
}

function peakMemory(pid: number): number {
  return statusMb(pid, 'VmHWM');
}

/** Resident set of a process now, in MB; 0 where this is not Linux. */
export function residentMemory(pid: number): number {
  return statusMb(pid, 'VmRSS');
}

function statusMb(pid: number, field: 'VmHWM' | 'VmRSS'): number {
  const kilobytes = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(read(`/proc/${pid}/status`))?.[1];
  return rounded(Number(kilobytes ?? 0) / 1_024, 1);
}

/** Empty when the process is gone, or this is not Linux. */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
