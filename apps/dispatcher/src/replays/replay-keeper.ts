import type { ReplayConfig } from '#libs/contracts';
import { paceMs } from '#libs/core';
import type { Appending } from '../appending.js';
import type { DirectoryListener } from '../endpoint-directory.js';
import { messageOf, pause, type Surroundings } from '../surroundings.js';
import type { Turnstile } from '../turnstile.js';
import type { ReplayRun, ReplayStanding } from './replay-run.js';
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
  /** Null: it cannot be run here, which was told. */
  newRun(part: ReplayPart, standing: ReplayStanding): ReplayRun | null;
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
}

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
    for (const [name, { run }] of this.#running) {
      if (!name.startsWith(`${replayId} `)) continue;
      isKnown = true;
      if (config !== null) run.standing = { state: config.state, version };
    }
    if (!isKnown && config !== null) this.#toRead.add(replayId);
    this.#wake();
  }

  async #run(): Promise<void> {
    const { around, ownedBy } = this.#ports;
    while (!this.#stopped) {
      try {
        await this.#read();
        if (this.#running.size === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
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
        const run = standing === undefined || this.#running.has(name) ? null : this.#ports.newRun(part, standing);
        if (run !== null) this.#running.set(name, { run, waitsSince: null });
      }
    }
  }

  /** A turn for each of the first ones. @returns whether one of them got on */
  async #round(): Promise<boolean> {
    const { around, turnstile } = this.#ports;
    let moved = false;
    for (const [name, one] of [...this.#running].slice(0, mostAtOnce)) {
      await this.#yield();
      if (this.#stopped) return false;
      const turn = await turnstile.pass(() => one.run.turn());
      if (this.#stopped) return false;
      if (turn === 'ended') this.#running.delete(name);
      if (turn !== 'waits') {
        one.waitsSince = null;
        moved = true;
        continue;
      }
      one.waitsSince ??= around.monotonic();
      if (this.#running.size > mostAtOnce && around.monotonic() - one.waitsSince > patienceMs) {
        one.waitsSince = null;
        await one.run.rest();
        this.#running.delete(name);
        this.#running.set(name, one);
      }
    }
    return moved;
  }

  async #yield(): Promise<void> {
    const { pipeline, around } = this.#ports;
    for (let times = 0; times < mostYields && pipeline.isBusy; times += 1) await pause(around, yieldMs);
  }
}
