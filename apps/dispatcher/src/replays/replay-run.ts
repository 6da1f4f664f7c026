/**
 * Reads: one partition of posthorn.events, or of posthorn.dead-letters, from the replay's checkpoint to its end.
 * Writes: deliveries of the replay's stream → posthorn.deliveries; the checkpoint → PostgreSQL, after the acknowledgement.
 * Guarantees: each wanted record was sent to each endpoint once, as far as workers can tell; within each endpoint's room.
 * A crash here: sent and not stored is sent again in the same space, where workers know it. The end record comes before the
 * row says `done`: without it the next owner appends it again.
 * Tests: replays.spec.ts, test/e2e/replay.
 */
import type { EndOfSpace, ReplayState } from '#libs/contracts';
import { catchUpRoom, partitionFor } from '#libs/core';
import { OffsetOutOfRange } from '#libs/kafka';
import type { Appending } from '../appending.js';
import type { BulkDeliveries } from '../cursors/bulk-deliveries.js';
import type { CursorWriter } from '../cursors/cursor-writer.js';
import type { EndpointLoads } from '../cursors/endpoint-loads.js';
import type { DispatchEndpoint } from '../dispatch-endpoint.js';
import { mostTransformations, transformationsAmong } from '../forms/made-events.js';
import type { Candidate, ReplaySource } from './replay-source.js';
import type { ReplayCheckpoint, ReplayPart, ReplayStore } from './replay-store.js';

export interface ReplayRunPorts {
  readonly ownedBy: number;
  readonly writer: CursorWriter;
  readonly store: Pick<ReplayStore, 'checkpoint'>;
  readonly loads: Pick<EndpointLoads, 'of'>;
  /** Whether its filters or transformation have taken more than their share of time lately. */
  readonly isCostly: (endpointId: string) => boolean;
  readonly directory: { get(endpointId: string): DispatchEndpoint | undefined };
  readonly appending: Appending;
  newBulk(): BulkDeliveries;
  /** End of the partition of its source, as far as it is of the same log; -1: it is not. */
  endOf(part: ReplayPart): Promise<number>;
  readonly endOfSpace: { encode(end: EndOfSpace): Buffer };
  readonly deliveries: { readonly topic: string; readonly partitions: number };
  monotonic(): number;
  /** The log begins after the checkpoint: so many offsets are lost to it. */
  lost(part: ReplayPart, records: number): void;
}

/** `moved`: there may be more to do at once. `waits`: for room, or until it is resumed. `ended`: all is done. */
export type Turn = 'moved' | 'waits' | 'ended';

/** How the replay stands, by its record in posthorn.endpoints. */
export interface ReplayStanding {
  readonly state: ReplayState;
  /** Offset of that record. */
  readonly version: number;
}

/** Few enough not to hold up live dispatch. */
const sentRecords = 100;
/** To an endpoint within a slice of `paceMs`: half as fast as a catch-up, which leaves more to live deliveries. */
const mostPerSlice = 25;
/** An endpoint that has so much outstanding, of whatever stream, gets nothing of a replay for now. */
const mostOutstanding = 10_000;
/** Where nothing was sent, so much reading may be done again after a crash: a checkpoint for each chunk costs more than it. */
const unstoredMs = 1_000;

interface Chosen<C> {
  readonly candidate: C;
  readonly endpoints: readonly DispatchEndpoint[];
}

/** One partition of a replay. */
export class ReplayRun<C extends Candidate = Candidate> {
  /** As it is stored. */
  #part: ReplayPart;
  /** Nothing that is wanted stands between the checkpoint and where the source stands; so much of it was read. */
  #unstored = 0;
  #storedAt = Number.NEGATIVE_INFINITY;
  #reached: number;
  #isChecked = false;
  standing: ReplayStanding;
  readonly #source: ReplaySource<C>;
  readonly #ports: ReplayRunPorts;

  constructor(part: ReplayPart, standing: ReplayStanding, source: ReplaySource<C>, ports: ReplayRunPorts) {
    this.#part = part;
    this.#reached = part.position;
    this.standing = standing;
    this.#source = source;
    this.#ports = ports;
  }

  get replayId(): string {
    return this.#part.replayId;
  }

  async turn(): Promise<Turn> {
    const { state } = this.standing;
    const { to } = this.#part;
    const position = this.#reached;
    if (state === 'cancelled' || this.#part.position >= to) return this.#end();
    if (state === 'paused') return 'waits';
    try {
      return await this.#advance();
    } catch (error) {
      if (!(error instanceof OffsetOutOfRange) || error.bounds.start <= position) throw error;
      const start = Math.min(error.bounds.start, to);
      this.#ports.lost(this.#part, start - position);
      await this.#source.close();
      this.#source.advance(start);
      return (await this.#store({ position: start })) ? 'moved' : 'waits';
    }
  }

  /** What it has read is let go of; it goes on from the checkpoint. */
  async rest(): Promise<void> {
    await this.#source.close();
  }

  async #advance(): Promise<Turn> {
    if (!this.#hasRoom()) return 'waits';
    await this.#check();
    const { candidates, end } = await this.#source.peek(this.#part.to);
    const { chosen, upTo } = this.#choose(candidates, end);
    if (upTo === this.#reached) return 'waits';
    if (chosen.length === 0) return this.#skip(upTo);
    const made = await this.#source.deliveries(chosen);
    const bulk = this.#ports.newBulk();
    const { replayId: stream, incarnation, partition: sourcePartition, position: floor } = this.#part;
    for (const { delivery, endpoint } of made) {
      // A worker that has not read the replay's record yet holds it.
      const configVersion = Math.max(delivery.configVersion, this.standing.version);
      const whole = { ...delivery, configVersion, stream, space: '', incarnation, sourcePartition, floor };
      bulk.add(whole, endpoint.partition);
    }
    if (!(await bulk.append())) return 'waits';
    const { matched, sent } = this.#part;
    this.#unstored += this.#source.advance(upTo);
    const stored = await this.#store({
      position: upTo,
      // By their filters too, as in a dry run.
      matched: matched + made.length,
      sent: sent + bulk.size,
      replayed: this.#source.replayed(chosen.map(({ candidate }) => candidate)),
    });
    return stored ? 'moved' : 'waits';
  }

  /** Of another log, after a move: what it names is not there, and may never be. */
  async #check(): Promise<void> {
    if (this.#isChecked) return;
    const end = await this.#ports.endOf(this.#part);
    if (this.#part.to > end) throw new Error('it names offsets of another log: cancel it, and create it anew');
    this.#isChecked = true;
  }

  /** The checkpoint is the floor of what is sent: it may stay behind, but nobody may take for stored what is not. */
  async #skip(upTo: number): Promise<Turn> {
    this.#unstored += this.#source.advance(upTo);
    this.#reached = upTo;
    const isDue = upTo >= this.#part.to || this.#ports.monotonic() - this.#storedAt >= unstoredMs;
    return !isDue || (await this.#store({ position: upTo })) ? 'moved' : 'waits';
  }

  /** As far as all endpoints have room: the checkpoint is one for all of them. */
  #choose(candidates: readonly C[], end: number): { readonly chosen: readonly Chosen<C>[]; readonly upTo: number } {
    const room = new Map<string, number>();
    const chosen: Chosen<C>[] = [];
    let transformations = 0;
    for (const candidate of candidates) {
      if (chosen.length >= sentRecords || transformations >= mostTransformations)
        return { chosen, upTo: candidate.offset };
      // What is deleted gets nothing.
      const endpoints = candidate.endpointIds.flatMap((endpointId) => this.#ports.directory.get(endpointId) ?? []);
      for (const endpoint of endpoints) {
        const { endpointId } = endpoint;
        if (!room.has(endpointId)) room.set(endpointId, this.#roomOf(endpoint));
        if ((room.get(endpointId) ?? 0) <= 0) return { chosen, upTo: candidate.offset };
      }
      for (const { endpointId } of endpoints) room.set(endpointId, (room.get(endpointId) ?? 0) - 1);
      if (endpoints.length > 0) chosen.push({ candidate, endpoints });
      transformations += transformationsAmong(endpoints);
    }
    return { chosen, upTo: end };
  }

  /** It is asked for again and again: what is not sent anyway is not even looked at. */
  #hasRoom(): boolean {
    const endpoints = this.#part.endpointIds.flatMap((endpointId) => this.#ports.directory.get(endpointId) ?? []);
    return endpoints.length === 0 || endpoints.some((endpoint) => this.#roomOf(endpoint) > 0);
  }

  #roomOf({ endpointId, partition, state, content }: DispatchEndpoint): number {
    if (state !== 'active' || content.fault !== null || this.#ports.isCostly(endpointId)) return 0;
    const { loads } = this.#ports;
    const all = loads.of(endpointId, partition);
    const own = loads.of(endpointId, partition, this.#part.replayId);
    if (all === null || own === null || all.outstanding + all.unread >= mostOutstanding) return 0;
    return Math.min(catchUpRoom(own), Math.max(0, mostPerSlice - own.lately));
  }

  /** Workers are told that nothing of it comes any more, in each partition that it addressed. */
  async #end(): Promise<Turn> {
    const { appending, endOfSpace, deliveries } = this.#ports;
    const { replayId: stream, incarnation, partition: sourcePartition, endpointIds } = this.#part;
    const value = endOfSpace.encode({ endpointId: '', stream, incarnation, sourcePartition, space: '' });
    const partitions = new Set(endpointIds.map((endpointId) => partitionFor(endpointId, deliveries.partitions)));
    const { topic } = deliveries;
    const records = [...partitions].map((partition) => ({ topic, partition, key: stream, value }));
    if ((await appending.append(records)) === null) return 'waits';
    await this.#source.close();
    return (await this.#store({ done: true })) ? 'ended' : 'waits';
  }

  async #store(change: Partial<ReplayCheckpoint>): Promise<boolean> {
    const { writer, store, ownedBy } = this.#ports;
    const { replayId, partition, position, scanned, matched, sent } = this.#part;
    const read = scanned + this.#unstored;
    const at = { replayId, partition, position, scanned: read, matched, sent, done: false, replayed: [], ...change };
    if (!(await writer.untilKnown(() => store.checkpoint(ownedBy, writer.epoch, at)))) return false;
    this.#unstored = 0;
    this.#storedAt = this.#ports.monotonic();
    this.#reached = at.position;
    this.#part = { ...this.#part, position: at.position, scanned: at.scanned, matched: at.matched, sent: at.sent };
    return true;
  }
}
