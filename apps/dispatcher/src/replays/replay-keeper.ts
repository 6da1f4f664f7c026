import type { ReplayConfig } from '#libs/contracts';
import { paceMs } from '#libs/core';
import type { Appending } from '../appending.js';
import type { DirectoryListener } from '../endpoint-directory.js';
import { messageOf, pause, type Surroundings } from '../surroundings.js';
import type { Turnstile } from '../turnstile.js';
import type { ReplayRun, ReplayStanding, Turn } from './replay-run.js';
import type { ReplayPart, ReplayStore } from './replay-store.js';

export interface ReplayKeeperPorts {
  readonly ownedBy: number;
  readonly store: Pick<ReplayStore, 'parts'>;
  readonly directory: {
    listen(listener: DirectoryListener): () => void;
    replays(): ReadonlyMap<string, ReplayStanding>;
  };
  readonly pipeline: { readonly isBusy: boolean };
  readonly turnstile: Turnstile;
  readonly appending: Pick<Appending, 'drained'>;
  newRun(part: ReplayPart, standing: ReplayStanding): ReplayRun;
  readonly around: Surroundings;
}

/** So many are worked at at a time, each holding what it needs to tell repeats; the others wait for their turn. */
const mostAtOnce = 4;
/** One that can send nothing for so long gives its place to another. */
const patienceMs = 5_000;
const lookAgainMs = paceMs;
const troubledMs = 1_000;
/** Live deliveries first: how long, at most, a turn waits for them. */
const yieldMs = 10;
const mostYields = 5;

interface Running {
  readonly run: ReplayRun;
  waitsSince: number | null;
  /** How often in a row it could not get on, and when it is looked at again. */
  vain: number;
  nextAt: number;
}

/** Waits between looks at a replay that cannot get on, ms: 100, 200, … 3,200. */
const vainMs = (vain: number): number => lookAgainMs * 2 ** Math.min(vain, 5);

/** Runs what replays ask of one source partition, in turn. */
export class ReplayKeeper {
  readonly #ports: ReplayKeeperPorts;
  /** In the order of their turns. */
  #running = new Map<string, Running>();
  /** Replays whose parts are to be read; null: all. */
  #toRead = new Set<string | null>([null]);
  #unlisten: () => void = () => undefined;
  #stopped = false;
  #wake: () => void = () => undefined;

  constructor(ports: ReplayKeeperPorts) {
    this.#ports = ports;
  }

  start(): void {
    this.#unlisten = this.#ports.directory.listen({
      endpointChanged: () => undefined,
      replayChanged: (replayId, config, version) => this.#changed(replayId, config, version),
    });
    void this.#run();
  }

  stop(): void {
    this.#stopped = true;
    this.#unlisten();
    for (const { run } of this.#running.values()) void run.rest();
    this.#running.clear();
    this.#wake();
  }

  /** Resolves when nothing of it is on its way to the log. */
  drained(): Promise<void> {
    return this.#ports.appending.drained();
  }

  #changed(replayId: string, config: ReplayConfig | null, version: number): void {
    let isKnown = false;
    for (const [name, one] of this.#running) {
      const { run } = one;
      if (!name.startsWith(`${replayId} `)) continue;
      isKnown = true;
      if (config !== null) run.standing = { state: config.state, version };
      one.nextAt = 0;
    }
    if (!isKnown && config !== null) this.#toRead.add(replayId);
    this.#wake();
  }

  async #run(): Promise<void> {
    const { around, ownedBy } = this.#ports;
    while (!this.#stopped) {
      try {
        await this.#read();
        if (this.#running.size === 0 && this.#toRead.size === 0)
          await new Promise<void>((resolve) => (this.#wake = resolve));
        else if (!(await this.#round())) await pause(around, lookAgainMs);
      } catch (error) {
        if (this.#stopped) return;
        around.log.warn({ partition: ownedBy, reason: messageOf(error) }, 'replays do not move; tried again');
        await pause(around, troubledMs);
      }
    }
  }

  async #read(): Promise<void> {
    const { store, ownedBy, directory } = this.#ports;
    for (const replayId of this.#toRead) {
      const parts = await store.parts(ownedBy, replayId ?? undefined);
      if (this.#stopped) return;
      this.#toRead.delete(replayId);
      for (const part of parts) {
        const name = `${part.replayId} ${part.partition}`;
        // Its record says how it stands; it is read before, or to be read yet.
        const standing = directory.replays().get(part.replayId);
        if (standing === undefined || this.#running.has(name)) continue;
        this.#running.set(name, { run: this.#ports.newRun(part, standing), waitsSince: null, vain: 0, nextAt: 0 });
      }
    }
  }

  /** A turn for each of the first ones. @returns whether one of them got on */
  async #round(): Promise<boolean> {
    const { around } = this.#ports;
    let moved = false;
    for (const [name, one] of [...this.#running].slice(0, mostAtOnce)) {
      if (around.monotonic() < one.nextAt) continue;
      await this.#yield();
      if (this.#stopped) return false;
      const turn = await this.#turn(one.run);
      if (this.#stopped) return false;
      if (turn === 'ended') this.#running.delete(name);
      if (turn === 'waits') await this.#putOff(name, one);
      else {
        Object.assign(one, { waitsSince: null, vain: 0 });
        moved = true;
      }
    }
    return moved;
  }

  /** What is wrong with one replay is its own affair. */
  async #turn(run: ReplayRun): Promise<Turn> {
    const { around, turnstile, ownedBy } = this.#ports;
    try {
      return await turnstile.pass(() => run.turn());
    } catch (error) {
      const { replayId } = run;
      around.log.warn(
        { replayId, partition: ownedBy, reason: messageOf(error) },
        'a replay does not move; tried again',
      );
      return 'waits';
    }
  }

  /** It is looked at again later, the later the longer it waits; its place goes to another one that has none. */
  async #putOff(name: string, one: Running): Promise<void> {
    const now = this.#ports.around.monotonic();
    one.nextAt = now + vainMs(one.vain);
    one.vain += 1;
    one.waitsSince ??= now;
    if (this.#running.size <= mostAtOnce || now - one.waitsSince <= patienceMs) return;
    one.waitsSince = null;
    await one.run.rest();
    this.#running.delete(name);
    this.#running.set(name, one);
  }

  async #yield(): Promise<void> {
    const { pipeline, around } = this.#ports;
    for (let times = 0; times < mostYields && pipeline.isBusy; times += 1) await pause(around, yieldMs);
  }
}
