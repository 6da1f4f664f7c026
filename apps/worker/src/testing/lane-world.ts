import { defaultCircuit, DueQueue, type PostResult } from '#libs/core';
import type { LaneSettings } from '../lane-settings.js';
import type { Lane } from '../lane.js';
import type { Spill } from '../lane-room.js';
import type { LanesOptions, Offered } from '../lanes-ports.js';
import { Lanes } from '../lanes.js';
import type { Entry, OwnedPartition } from '../owned-partition.js';
import type { Replay } from '../replay-directory.js';

/** What an endpoint does with a POST, or the worker with a delivery whose turn has come. */
export type Reaction = { readonly afterMs: number; readonly status: number | 'timeout' } | 'diverted' | 'unread';

export interface Offering {
  readonly attempt?: number;
  readonly stream?: string;
  readonly bytes?: number;
  readonly pos?: number;
  readonly partition?: number;
  /** Its order does not let it go. */
  readonly blocked?: boolean;
}

export interface Posted {
  readonly endpointId: string;
  readonly pos: number;
  readonly at: number;
  readonly isOld: boolean;
  readonly stream: string;
}

const settings: LaneSettings = {
  maxInFlight: 4,
  adaptive: false,
  rateLimit: null,
  circuit: defaultCircuit,
  batch: null,
};
const ackMs = 1;

/** Lanes as the worker has them, with scripted endpoints and a clock that only passes in `run`, at once. */
export class LaneWorld {
  now = 1_000;
  readonly #due = new DueQueue<{ task: (() => void) | null }>();
  readonly #settings = new Map<string, LaneSettings>();
  readonly #replays = new Map<string, Replay>();
  readonly #partitions = new Map<number, OwnedPartition>();
  #pos = 0;
  readonly lanes: Lanes;
  readonly posts: Posted[] = [];
  readonly spilled: { readonly entry: Entry; readonly wait: Spill }[] = [];
  readonly dropped: Entry[] = [];
  /** By order. */
  readonly blocked = new Set<Entry>();
  isLeased = true;
  reaction: (endpointId: string, nth: number) => Reaction = () => ({ afterMs: 10, status: 200 });
  /** Its answer was there, before it is acknowledged. */
  answered: (entry: Entry, status: number | 'timeout') => void = () => undefined;
  readonly nth = new Map<string, number>();
  timers = 0;

  /** The worker's memory: nearly full, or not. */
  readonly backlog = { isHigh: false };

  constructor(options: Partial<LanesOptions> = {}) {
    this.lanes = new Lanes(
      { maxInFlight: 64, bounds: { maxRecords: 1_000, maxBytes: 1_000_000 }, ...options },
      this.backlog,
      {
        monotonic: () => this.now,
        schedule: (ms, task) => this.#scheduleTimer(ms, task),
        mayStart: () => this.isLeased,
        start: (entry, lane) => this.#start(entry, lane),
        settingsOf: (endpointId) => this.#settings.get(endpointId) ?? settings,
        replayOf: (stream) => this.#replays.get(stream),
        mayGo: (entry) => !this.blocked.has(entry),
        spill: (entry, wait) => this.spilled.push({ entry, wait }),
        drop: (entry) => this.dropped.push(entry),
        hungry: () => undefined,
        pump: () => this.lanes.pump(),
      },
    );
  }

  configure(endpointId: string, changes: Partial<LaneSettings>): void {
    this.#settings.set(endpointId, { ...settings, ...this.#settings.get(endpointId), ...changes });
  }

  /** What is known of a replay from now on; undefined: nothing. */
  replay(stream: string, replay: Partial<Replay> | undefined): void {
    if (replay === undefined) this.#replays.delete(stream);
    else this.#replays.set(stream, { state: 'running', rateLimit: null, ...replay });
    this.lanes.configurationRead();
    this.lanes.pump();
  }

  entry(endpointId: string, offering: Offering = {}): Entry {
    const { attempt = 0, stream = 'live', bytes = 100, pos = this.#pos, partition = 0 } = offering;
    this.#pos = Math.max(this.#pos, pos) + 1;
    // What lanes know of an entry; the rest of it is not theirs.
    const fields = {
      endpointId,
      pos,
      stream,
      bytes,
      since: this.now,
      weight: 1,
      lane: null,
      partition: this.partition(partition),
    };
    const entry = { ...fields, delivery: { endpointId, attempt } } as unknown as Entry;
    if (offering.blocked === true) this.blocked.add(entry);
    return entry;
  }

  offer(endpointId: string, offering: Offering = {}): Offered {
    const offered = this.lanes.offer(this.entry(endpointId, offering));
    this.lanes.pump();
    return offered;
  }

  /** @returns how it went with each */
  offerMany(count: number, endpointId: string, offering: Offering = {}): Offered[] {
    const entries = Array.from({ length: count }, () => this.entry(endpointId, offering));
    const offered = entries.map((entry) => this.lanes.offer(entry));
    this.lanes.pump();
    return offered;
  }

  unblock(...entries: readonly Entry[]): void {
    for (const entry of entries) {
      this.blocked.delete(entry);
      this.lanes.unblocked(entry);
    }
    this.lanes.pump();
  }

  partition(number: number): OwnedPartition {
    const partition = this.#partitions.get(number) ?? ({ number, alive: true } as OwnedPartition);
    this.#partitions.set(number, partition);
    return partition;
  }

  postsTo(endpointId: string): Posted[] {
    return this.posts.filter((post) => post.endpointId === endpointId);
  }

  schedule(ms: number, task: () => void): () => void {
    const timer: { task: (() => void) | null } = { task };
    this.#due.add(this.now + ms, timer);
    return () => {
      timer.task = null;
    };
  }

  /** Lets `ms` pass. */
  run(ms: number): void {
    const until = this.now + ms;
    while (this.#due.nextAt <= until) {
      this.now = this.#due.nextAt;
      this.#due.takeDue(this.now)?.task?.();
    }
    this.now = until;
  }

  #scheduleTimer(ms: number, task: () => void): () => void {
    this.timers += 1;
    let isOver = false;
    const over = (): void => {
      if (!isOver) this.timers -= 1;
      isOver = true;
    };
    const callOff = this.schedule(ms, () => {
      over();
      task();
    });
    return () => {
      over();
      callOff();
    };
  }

  #start(entry: Entry, lane: Lane<Entry>): 'posted' | 'diverted' | 'unread' {
    const { endpointId, stream, delivery, pos } = entry;
    const nth = this.nth.get(endpointId) ?? 0;
    const reaction = this.reaction(endpointId, nth);
    if (reaction === 'unread') return 'unread';
    this.nth.set(endpointId, nth + 1);
    if (reaction === 'diverted') {
      this.schedule(ackMs, () => this.#release(entry));
      return 'diverted';
    }
    const isOld = delivery.attempt > 0 || stream !== 'live';
    this.posts.push({ endpointId, pos, at: this.now, isOld, stream });
    this.schedule(reaction.afterMs, () => {
      this.answered(entry, reaction.status);
      this.schedule(ackMs, () => this.#release(entry));
      this.lanes.landed(lane, entry, resultOf(reaction.status, reaction.afterMs));
      this.lanes.pump();
    });
    return 'posted';
  }

  #release(entry: Entry): void {
    this.lanes.release(entry);
    this.lanes.pump();
  }
}

function resultOf(status: number | 'timeout', durationMs: number): PostResult {
  if (status === 'timeout') {
    return { kind: 'error', error: { kind: 'total-timeout', message: 'too late' }, durationMs };
  }
  return { kind: 'response', status, headers: {}, body: Buffer.alloc(0), truncated: false, durationMs };
}
