import { isTestStream, type PostResult } from '#libs/core';
import type { Backlog } from './backlog.js';
import { crowdedAt, Crowding, relievedAt } from './crowding.js';
import { Flow } from './flow.js';
import { mostWhenHigh, moves, waitElsewhere, type Spill } from './lane-room.js';
import type { LaneSettings } from './lane-settings.js';
import { laneStats, type LaneStats } from './lane-stats.js';
import { isSuccess, Lane } from './lane.js';
import type { LanesOptions, LanesPorts, Offered } from './lanes-ports.js';
import { OpenCircuits } from './open-circuits.js';
import type { Entry, OwnedPartition } from './owned-partition.js';
import type { Replay } from './replay-directory.js';
import { RestingLanes } from './resting-lanes.js';
import { Turns } from './turns.js';

/** The lanes of all endpoints that have work, served in turn under one limit: none waits for another's slowness. */
export class Lanes {
  readonly #options: LanesOptions;
  readonly #ports: LanesPorts;
  readonly #backlog: Pick<Backlog, 'isHigh'>;
  readonly #lanes = new Map<string, Lane<Entry>>();
  readonly #held = new Set<Lane<Entry>>();
  readonly #open = new OpenCircuits<Entry>();
  readonly #resting: RestingLanes<Entry>;
  readonly #crowding = new Crowding<Lane<Entry>>();
  readonly #turns = new Turns<Lane<Entry>>();
  readonly #flow: Flow;
  readonly #wake = (lane: Lane<Entry>): void => {
    this.#giveTurn(lane);
    this.#ports.pump();
  };
  readonly #replayOf = (stream: string): Replay | undefined => this.#ports.replayOf(stream);
  #inFlight = 0;
  #isClosed = false;

  constructor(options: LanesOptions, backlog: Pick<Backlog, 'isHigh'>, ports: LanesPorts) {
    this.#options = options;
    this.#backlog = backlog;
    this.#ports = ports;
    this.#flow = new Flow(ports.monotonic());
    this.#resting = new RestingLanes(
      (endpointId) => ports.settingsOf(endpointId),
      (lane) => this.#forget(lane),
    );
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Whether a lane could start something, if it were allowed to. */
  get hasWork(): boolean {
    return this.#turns.size > 0;
  }

  /** Whether one of them is a first attempt of a live event. */
  get freshWaits(): boolean {
    return this.#turns.fresh > 0;
  }

  /** How long an endpoint's circuit stays open at least; null when it is not open. */
  circuitOpenMs(endpointId: string): number | null {
    return this.#lanes.get(endpointId)?.circuitOpenMs(this.#ports.monotonic()) ?? null;
  }

  /** In how many ms an endpoint's circuit may be probed, not above 0 while that is under way; null when it is closed. */
  probeInMs(endpointId: string): number | null {
    return this.#lanes.get(endpointId)?.probeInMs(this.#ports.monotonic()) ?? null;
  }

  /** Endpoints of a partition that are left alone for some time yet. */
  leftAlone(partition: number): Iterable<string> {
    return this.#open.leftAlone(partition, this.#ports.monotonic());
  }

  stats(): LaneStats & { readonly circuitsOpen: number } {
    const now = this.#ports.monotonic();
    return { ...laneStats(this.#lanes.values(), (lane) => this.#settingsOf(lane), now), circuitsOpen: this.#open.size };
  }

  /** Queues an entry in its endpoint's lane, or says how long it is to wait elsewhere. */
  offer(entry: Entry): Offered {
    const lane = this.#laneOf(entry);
    lane.offered(entry.pos, this.#ports.monotonic());
    const most = this.#backlog.isHigh ? this.#mostWhenHigh(lane) : Infinity;
    const mayGo = this.#ports.mayGo(entry);
    const displaced = mayGo ? lane.work.offer(entry, most) : lane.work.offerBlocked(entry, most);
    const isIn = this.#hasPlace(lane, entry, displaced);
    // Also one that is blocked: it may fill a batch of those before it.
    if (isIn) this.#giveTurn(lane);
    // What it waits for is not here either.
    if (!mayGo && lane.work.isOut(entry.stream) && lane.inFlight === 0) this.#ports.hungry(lane);
    if (!isIn) return this.#wait(lane, entry);
    if (lane.work.fills(crowdedAt) && this.#moves(lane)) this.#crowding.add(lane);
    return 'taken';
  }

  /** Its order lets it go now. Those let go together stand in the order of their pos, whatever order this is called in. */
  unblocked(entry: Entry): void {
    const lane = this.#lanes.get(entry.endpointId);
    if (lane?.work.unblock(entry) === true) this.#giveTurn(lane);
  }

  /** Starts what can be started. */
  pump(): void {
    while (this.#inFlight < this.#options.maxInFlight && this.#turns.size > 0 && this.#ports.mayStart()) {
      const lane = this.#turns.next();
      if (lane === undefined) break;
      this.#startNext(lane, this.#settingsOf(lane), this.#ports.monotonic());
    }
    this.#resting.sweep(() => this.#ports.monotonic());
  }

  /** The POST that was started last goes out only now, `ms` later. */
  postedLate(lane: Lane<Entry>, entry: Entry, ms: number): void {
    lane.postedLate(entry, ms, this.#settingsOf(lane), this.#ports.monotonic());
  }

  /** The answer of a POST is there. */
  landed(lane: Lane<Entry>, entry: Entry, result: PostResult): void {
    const now = this.#ports.monotonic();
    if (isSuccess(result) && !isTestStream(entry.stream)) this.#flow.add(now, entry.weight);
    lane.inFlight -= 1;
    this.#inFlight -= 1;
    if (this.#lanes.get(lane.endpointId) !== lane) return;
    lane.landed(entry, result, this.#settingsOf(lane), now);
    this.#open.look(lane, now);
    if (lane.work.isOut(entry.stream)) this.#ports.hungry(lane);
    this.#giveTurn(lane);
    this.#rest(lane);
  }

  /** A batch was formed of `first`, whose turn it was, and of what may go with it: it is next. */
  formed(batch: Entry, lane: Lane<Entry>, first: Entry): void {
    lane.forming -= 1;
    if (this.#lanes.get(lane.endpointId) === lane) lane.work.putFirst(batch);
    this.release(first);
  }

  /** What followed from an entry is acknowledged. */
  release(entry: Entry): void {
    const { lane } = entry;
    if (lane === null) {
      const own = this.#lanes.get(entry.endpointId);
      return own?.work.removeBlocked(entry) === true ? this.#rest(own) : undefined;
    }
    entry.lane = null;
    lane.outstanding -= 1;
    if (this.#lanes.get(lane.endpointId) !== lane) return;
    this.#giveTurn(lane);
    this.#rest(lane);
  }

  /** Whether a lane of this partition has enough for now, and will soon want more: reading on can wait. */
  isCrowded(partition: number): boolean {
    return this.#crowding.isCrowded(partition, (lane) => lane.work.fills(relievedAt) && this.#moves(lane));
  }

  /** Whether an endpoint's lane has enough of first attempts for now, and is getting through with them. */
  hasEnough(endpointId: string): boolean {
    const lane = this.#lanes.get(endpointId);
    return lane !== undefined && lane.work.fills(relievedAt) && this.#moves(lane);
  }

  /** Whether an endpoint's lane has enough of a replay for now: nothing more of it need be fetched. */
  hasEnoughOf(endpointId: string, stream: string): boolean {
    return this.#lanes.get(endpointId)?.work.streamFills(stream, relievedAt) === true;
  }

  /** Whether nothing of its stream may go in its lane, and nothing of the lane is on its way. */
  isStarved({ endpointId, stream }: Entry): boolean {
    const lane = this.#lanes.get(endpointId);
    return lane === undefined || (lane.outstanding === 0 && lane.work.isOut(stream));
  }

  /** Configuration was read: lanes that waited for it, or for a rate that was changed, may start something now. */
  configurationRead(): void {
    for (const lane of this.#held) lane.held = false;
    this.#held.clear();
    const now = this.#ports.monotonic();
    for (const lane of this.#lanes.values()) {
      lane.rates.changed(now);
      this.#dropCancelled(lane);
      this.#giveTurn(lane);
    }
  }

  /** What a held lane has waited for is here. */
  resume(lane: Lane<Entry>): void {
    if (!this.#held.delete(lane)) return;
    lane.held = false;
    this.#giveTurn(lane);
  }

  /** Forgets what belongs to a lost partition. Its POSTs in flight still count until they land. */
  drop(partition: OwnedPartition): void {
    this.#crowding.drop(partition.number);
    for (const lane of this.#lanes.values()) if (lane.partition === partition.number) this.#forget(lane);
  }

  /** The process is about to end: no timer is left behind. */
  close(): void {
    this.#isClosed = true;
    for (const lane of this.#lanes.values()) lane.callOff();
  }

  #laneOf(entry: Entry): Lane<Entry> {
    const { endpointId, partition } = entry;
    const known = this.#lanes.get(endpointId);
    if (known !== undefined) return known;
    const now = this.#ports.monotonic();
    const lane = new Lane<Entry>(endpointId, partition.number, this.#options.bounds, now, this.#replayOf);
    this.#lanes.set(endpointId, lane);
    return lane;
  }

  #settingsOf(lane: Lane<Entry>): LaneSettings {
    return this.#ports.settingsOf(lane.endpointId);
  }

  #startNext(lane: Lane<Entry>, settings: LaneSettings, now: number): void {
    const entry = this.#isStartable(lane, settings, now) ? lane.take(settings, now) : undefined;
    if (entry === undefined) return;
    lane.outstanding += 1;
    entry.lane = lane;
    const start = this.#ports.start(entry, lane);
    if (start === 'unread') {
      lane.outstanding -= 1;
      entry.lane = null;
      lane.work.putBack(entry);
      lane.held = true;
      this.#held.add(lane);
      return;
    }
    if (start === 'posted') {
      lane.posted(entry, settings, now);
      this.#inFlight += 1;
    }
    this.#giveTurn(lane);
  }

  #giveTurn(lane: Lane<Entry>): void {
    const { inTurn, work } = lane;
    if (!inTurn && work.ready === 0) return;
    if (inTurn || this.#isStartable(lane, this.#settingsOf(lane), this.#ports.monotonic())) this.#turns.give(lane);
  }

  /** Whether its next one may start. If only time holds it, its timer will bring it back. */
  #isStartable(lane: Lane<Entry>, settings: LaneSettings, now: number): boolean {
    const at = lane.startableAt(settings, now);
    if (at > now && !this.#isClosed) lane.wakeAt(at, now, this.#ports.schedule, this.#wake);
    return at <= now;
  }

  /** @param displaced what had no room: it goes elsewhere. @returns whether the newcomer had */
  #hasPlace(lane: Lane<Entry>, newcomer: Entry, displaced: readonly Entry[]): boolean {
    for (const one of displaced) if (one !== newcomer) this.#ports.spill(one, this.#wait(lane, one));
    return !displaced.includes(newcomer);
  }

  #dropCancelled(lane: Lane<Entry>): void {
    for (const stream of lane.work.otherStreams()) {
      if (this.#ports.replayOf(stream)?.state !== 'cancelled') continue;
      for (const entry of lane.work.takeAll(stream)) this.#ports.drop(entry);
      this.#rest(lane);
    }
  }

  #wait(lane: Lane<Entry>, entry: Entry): Spill {
    return waitElsewhere(lane, entry, this.#settingsOf(lane), this.#backlog.isHigh, this.#ports.monotonic());
  }

  #moves(lane: Lane<Entry>): boolean {
    const now = this.#ports.monotonic();
    const isFullyUsed = this.#inFlight >= this.#options.maxInFlight * 0.9;
    const fairPerMs = isFullyUsed ? this.#flow.perMs(now) / this.#lanes.size : Infinity;
    return moves(lane, this.#settingsOf(lane), fairPerMs, now);
  }

  /** The memory is nearly full: lanes with open circuits make room, one after the other, and this one keeps less. */
  #mostWhenHigh(lane: Lane<Entry>): number {
    const now = this.#ports.monotonic();
    const shed = this.#open.shed(now);
    if (shed !== null) {
      for (const entry of shed.items) this.#ports.spill(entry, 'minutes');
      this.#turns.look(shed.lane);
    }
    return mostWhenHigh(lane, this.#settingsOf(lane), now);
  }

  #rest(lane: Lane<Entry>): void {
    if (lane.isIdle) this.#resting.add(lane, this.#ports.monotonic());
  }

  #forget(lane: Lane<Entry>): void {
    lane.callOff();
    lane.work.clear();
    lane.held = false;
    this.#held.delete(lane);
    this.#open.delete(lane);
    this.#resting.delete(lane);
    this.#lanes.delete(lane.endpointId);
    this.#turns.look(lane);
  }
}
