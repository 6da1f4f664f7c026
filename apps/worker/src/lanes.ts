import type { LaneQueueBounds } from '#libs/core';
import type { Backlog } from './backlog.js';
import { Flow } from './flow.js';
import { Lane } from './lane.js';
import type { Entry, OwnedPartition } from './owned-partition.js';

export interface LanesOptions {
  /** POSTs on their way at once, over all endpoints. */
  readonly maxInFlight: number;
  /** Of each lane's queue. */
  readonly bounds: LaneQueueBounds;
}

/**
 * - `posted`: a POST is on its way; `landed` follows
 * - `diverted`: it goes another way than to the endpoint
 * - `unread`: its configuration was not read yet; it stays the head
 */
export type Start = 'posted' | 'diverted' | 'unread';

export interface LanesPorts {
  /** Milliseconds of a clock that never jumps. */
  monotonic(): number;
  /** Whether anything may be started now (the lease). */
  mayStart(): boolean;
  /** Starts the head of a lane. */
  start(entry: Entry, lane: Lane<Entry>): Start;
  maxInFlightOf(endpointId: string): number;
}

/**
 * A lane that is half full lets its partition wait instead of filling up and spilling, if it would be through with what
 * it has before a spilled copy would come back. A lane that does not move never lets anything wait.
 */
const crowdedAt = 0.5;
const crowdedMs = 5_000;
const relievedAt = 0.25;
/** With the memory nearly full, a lane at its limit keeps no more than this many waiting. */
const queueWhenHigh = 16;

/** The lanes of all endpoints that have work, served in turn under one limit: none waits for another's slowness. */
export class Lanes {
  readonly #options: LanesOptions;
  readonly #ports: LanesPorts;
  readonly #backlog: Backlog;
  readonly #lanes = new Map<string, Lane<Entry>>();
  readonly #held = new Set<Lane<Entry>>();
  /** By partition. */
  readonly #crowded = new Map<number, Set<Lane<Entry>>>();
  /** Lanes that can start something, in turn. */
  #turns: Lane<Entry>[] = [];
  #turn = 0;
  readonly #flow: Flow;
  #inFlight = 0;

  constructor(options: LanesOptions, backlog: Backlog, ports: LanesPorts) {
    this.#options = options;
    this.#backlog = backlog;
    this.#ports = ports;
    this.#flow = new Flow(ports.monotonic());
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Whether a lane could start something, if it were allowed to. */
  get hasWork(): boolean {
    return this.#turns.length > this.#turn;
  }

  /** Queues an entry in its endpoint's lane; false when that is full: it must spill. */
  offer(entry: Entry): boolean {
    const { endpointId } = entry.delivery;
    let lane = this.#lanes.get(endpointId);
    if (lane === undefined) {
      lane = new Lane(endpointId, entry.partition.number, this.#options.bounds, this.#ports.monotonic());
      this.#lanes.set(endpointId, lane);
    }
    if (this.#backlog.isHigh && lane.queue.size >= this.#shareWhenHigh(lane)) return false;
    if (!lane.queue.offer(entry, entry.bytes)) return false;
    this.#giveTurn(lane);
    if (this.#fills(lane, crowdedAt) && this.#moves(lane)) this.#crowd(lane);
    return true;
  }

  /** Starts what can be started. */
  pump(): void {
    while (this.#inFlight < this.#options.maxInFlight && this.hasWork && this.#ports.mayStart()) {
      const lane = this.#nextTurn();
      const entry = lane?.queue.peek();
      if (lane === undefined || entry === undefined || !this.#canStart(lane)) continue;
      lane.outstanding += 1;
      entry.lane = lane;
      const start = this.#ports.start(entry, lane);
      if (start === 'unread') {
        lane.outstanding -= 1;
        entry.lane = null;
        lane.held = true;
        this.#held.add(lane);
        continue;
      }
      lane.queue.shift();
      if (start === 'posted') {
        lane.inFlight += 1;
        this.#inFlight += 1;
      }
      this.#giveTurn(lane);
    }
  }

  /** The answer of a POST is there. */
  landed(lane: Lane<Entry>, success: boolean): void {
    if (success) {
      const now = this.#ports.monotonic();
      lane.flow.add(now);
      this.#flow.add(now);
    }
    lane.inFlight -= 1;
    this.#inFlight -= 1;
    this.#giveTurn(lane);
  }

  /** What followed from an entry is acknowledged. */
  release(entry: Entry): void {
    const { lane } = entry;
    if (lane === null) return;
    entry.lane = null;
    lane.outstanding -= 1;
    this.#giveTurn(lane);
    if (lane.isIdle && this.#lanes.get(lane.endpointId) === lane) this.#lanes.delete(lane.endpointId);
  }

  /** Whether a lane of this partition has enough for now, and will soon want more: reading on can wait. */
  isCrowded(partition: number): boolean {
    const lanes = this.#crowded.get(partition);
    if (lanes === undefined) return false;
    for (const lane of lanes) {
      if (this.#fills(lane, relievedAt) && this.#moves(lane)) return true;
      lanes.delete(lane);
    }
    this.#crowded.delete(partition);
    return false;
  }

  /** Configuration was read: heads that waited for it may be startable now. */
  configurationRead(): void {
    for (const lane of this.#held) {
      lane.held = false;
      this.#giveTurn(lane);
    }
    this.#held.clear();
  }

  /** Forgets what belongs to a lost partition. Its POSTs in flight still count until they land. */
  drop(partition: OwnedPartition): void {
    this.#crowded.delete(partition.number);
    for (const lane of this.#lanes.values()) {
      if (lane.partition !== partition.number) continue;
      while (lane.queue.shift() !== undefined);
      this.#held.delete(lane);
      lane.held = false;
      this.#lanes.delete(lane.endpointId);
    }
  }

  #crowd(lane: Lane<Entry>): void {
    const lanes = this.#crowded.get(lane.partition);
    if (lanes === undefined) this.#crowded.set(lane.partition, new Set([lane]));
    else lanes.add(lane);
  }

  #fills(lane: Lane<Entry>, share: number): boolean {
    const { maxRecords, maxBytes } = this.#options.bounds;
    return lane.queue.size >= maxRecords * share || lane.queue.bytes >= maxBytes * share;
  }

  #moves(lane: Lane<Entry>): boolean {
    if (lane.held) return false;
    const now = this.#ports.monotonic();
    if (lane.flow.takes(lane.queue.size, crowdedMs, now)) return true;
    // With every slot taken it is this worker that is slow, as long as the lane has its share.
    const isFullyUsed = this.#inFlight >= this.#options.maxInFlight * 0.9;
    return isFullyUsed && lane.flow.perMs(now) * this.#lanes.size >= this.#flow.perMs(now) * 0.5;
  }

  #canStart(lane: Lane<Entry>): boolean {
    return lane.canStart(this.#ports.maxInFlightOf(lane.endpointId));
  }

  #shareWhenHigh(lane: Lane<Entry>): number {
    return lane.held || lane.inFlight >= this.#ports.maxInFlightOf(lane.endpointId) ? 1 : queueWhenHigh;
  }

  #giveTurn(lane: Lane<Entry>): void {
    if (lane.inTurn || !this.#canStart(lane)) return;
    lane.inTurn = true;
    this.#turns.push(lane);
  }

  #nextTurn(): Lane<Entry> | undefined {
    const lane = this.#turns[this.#turn];
    if (lane === undefined) return undefined;
    lane.inTurn = false;
    this.#turn += 1;
    if (this.#turn === this.#turns.length) {
      this.#turns.length = 0;
      this.#turn = 0;
    } else if (this.#turn > 256 && this.#turn * 2 > this.#turns.length) {
      this.#turns = this.#turns.slice(this.#turn);
      this.#turn = 0;
    }
    return lane;
  }
}
