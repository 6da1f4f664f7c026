import type { AppName, AppProcess, AppProcesses } from '#libs/app-processes';
import type { Disruption, Fault } from '../oracle/repeats-oracle.js';

/** What an app counts when it does its work: a victim that does nothing proves nothing. */
const workCounter: Partial<Record<AppName, string>> = {
  dispatcher: 'posthorn_deliveries_dispatched_total',
  worker: 'posthorn_attempts_total',
};
const watchedMs = 400;
/** After a fault the others have nothing to do until the group has settled. */
const busyMs = 15_000;
const readyMs = 20_000;

interface Injury {
  readonly app: AppName;
  readonly fault: Fault;
  /** Deliveries that it worked on in the moment before. */
  readonly work: number;
}

/** Does things to processes, always to the busiest one that is well, and writes down what was done when. */
export class Faults {
  readonly disruptions: Disruption[] = [];
  readonly injuries: Injury[] = [];
  /** What ended although nobody had ended it. */
  readonly unexpectedEnds: string[] = [];
  readonly #frozen = new Set<AppProcess>();
  readonly #ended = new Set<AppProcess>();
  readonly #thawing: Promise<void>[] = [];

  constructor(private readonly platform: AppProcesses) {}

  /** kill -9, as a power cut would. */
  async kill(name: AppName): Promise<void> {
    const victim = await this.#busiest(name, 'kill');
    this.#note(name, 'kill');
    this.#ended.add(victim);
    await this.platform.kill(victim);
  }

  /** SIGSTOP; SIGCONT after `ms`. Resolves when it is stopped. */
  async freeze(name: AppName, ms: number): Promise<void> {
    const victim = await this.#busiest(name, 'freeze');
    this.#note(name, 'freeze');
    this.#frozen.add(victim);
    victim.child.kill('SIGSTOP');
    this.#thawing.push(this.#thawAfter(victim, ms));
  }

  /** One more process; resolves when it is ready. */
  async join(name: AppName): Promise<void> {
    this.#note(name, 'join');
    await this.platform.launch(name);
  }

  /** SIGTERM. @returns the exit code */
  async leave(name: AppName): Promise<number | null> {
    const victim = await this.#busiest(name, 'leave');
    this.#note(name, 'leave');
    this.#ended.add(victim);
    return this.platform.terminate(victim);
  }

  /** Until nothing is frozen any more, and what was is ready again. */
  async thawed(): Promise<void> {
    await Promise.all(this.#thawing);
  }

  /** Lets go of what is still frozen: a stopped process would not end by SIGTERM. */
  release(): void {
    for (const { child } of this.#frozen) child.kill('SIGCONT');
  }

  async #thawAfter(victim: AppProcess, ms: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, ms));
    this.#note(victim.name, 'thaw');
    victim.child.kill('SIGCONT');
    this.#frozen.delete(victim);
    const deadline = performance.now() + readyMs;
    while (performance.now() < deadline) {
      if (this.#hasEnded(victim)) return;
      const answer = await fetch(`${victim.url}/readyz`, { signal: AbortSignal.timeout(2_000) }).catch(() => null);
      if (answer?.ok === true) return;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    this.unexpectedEnds.push(`${victim.name} is not ready ${readyMs} ms after it was woken`);
  }

  #hasEnded({ child, name }: AppProcess): boolean {
    if (child.exitCode === null && child.signalCode === null) return false;
    this.unexpectedEnds.push(`${name} ended by itself after it was woken: ${child.exitCode ?? child.signalCode}`);
    return true;
  }

  /** Of those that are well the one that does most; waits until one does anything. */
  async #busiest(name: AppName, fault: Fault): Promise<AppProcess> {
    const deadline = performance.now() + busyMs;
    for (;;) {
      const well = [...this.platform.running].filter(
        (app) => app.name === name && !this.#frozen.has(app) && !this.#ended.has(app),
      );
      const before = await Promise.all(well.map(workOf));
      await new Promise((resolve) => setTimeout(resolve, watchedMs));
      const after = await Promise.all(well.map(workOf));
      const done = after.map((count, n) => count - (before[n] ?? 0));
      const work = Math.max(...done);
      const victim = well[done.indexOf(work)];
      if (victim === undefined) throw new Error(`no ${name} is left to ${fault}`);
      if (work > 0 || performance.now() > deadline) {
        this.injuries.push({ app: name, fault, work });
        return victim;
      }
    }
  }

  #note(app: AppName, fault: Fault): void {
    this.disruptions.push({ app, fault, at: Date.now() });
  }
}

/** Sum of the app's work counter over its labels; 0 when it does not answer. */
async function workOf({ name, url }: AppProcess): Promise<number> {
  const metric = workCounter[name] ?? '';
  const answer = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(2_000) }).catch(() => null);
  const lines = ((await answer?.text()) ?? '').split('\n').filter((line) => line.startsWith(metric));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}
