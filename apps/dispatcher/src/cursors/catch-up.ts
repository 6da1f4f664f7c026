/**
 * Reads: posthorn.events from an endpoint's cursor, never beyond the partition's commit.
 * Writes: its deliveries of the live stream, in the dedupe space of its run → posthorn.deliveries; the cursor → PostgreSQL.
 * Guarantees: each wanted event below the cursor was sent; nothing is skipped; in source order; within the endpoint's room.
 * A crash here: sent and not stored is sent again in the same space, where workers know it. At a join the cursor's end is
 * stored before live dispatch goes on: before it the endpoint is frozen, after it live, for whoever comes next.
 * Tests: catch-up.spec.ts, test/simulation.
 */
import { catchUpRoom, liveStream, type Cursor } from '#libs/core';
import { OffsetOutOfRange } from '#libs/kafka';
import type { DispatchEndpoint, Subscribers } from '../dispatch-endpoint.js';
import type { LogScan, ScannedRecord } from '../log-scan.js';
import { newDelivery, prepareEvent } from '../new-delivery.js';
import type { EventReader, ParsedRecord } from '../read-events.js';
import type { BulkDeliveries } from './bulk-deliveries.js';
import type { CursorWriter } from './cursor-writer.js';
import type { EndpointLoads } from './endpoint-loads.js';
import type { CursorRule, Pipeline } from './freezing.js';
import type { FreezeWishes } from './freeze-wishes.js';
import type { PartitionCursors } from './partition-cursors.js';
import type { Scans } from './scans.js';

export interface CatchUpPorts {
  readonly pipeline: Pipeline;
  readonly cursors: PartitionCursors;
  readonly writer: CursorWriter;
  readonly wishes: Pick<FreezeWishes, 'reasonFor'>;
  readonly loads: Pick<EndpointLoads, 'of'>;
  readonly subscribers: Pick<Subscribers, 'match'> & { get(endpointId: string): DispatchEndpoint | undefined };
  readonly events: Pick<EventReader, 'decode'>;
  readonly scans: Scans;
  newBulk(): BulkDeliveries;
  /** Of one record, key included. */
  readonly maxRecordBytes: number;
  readonly source: { readonly partition: number; readonly incarnation: number };
  now(): number;
  monotonic(): number;
  readonly without: ReadonlySet<CursorRule>;
  readonly tell: CatchUpCounts;
}

interface CatchUpCounts {
  caughtUp(deliveries: number): void;
  joined(endpoints: number): void;
  /** The log begins after the cursor: `records` of it, at most, will never be sent. */
  lost(cursor: Cursor, start: number): void;
}

/** An endpoint that may be sent to. */
interface Member {
  readonly cursor: Cursor;
  readonly endpoint: DispatchEndpoint;
  room: number;
  /** Where its room was exhausted. */
  stoppedAt: number | null;
}

/** Source records that are looked at at once: below W (DESIGN §3) … */
const chunkRecords = 1_000;
/** … and how many of them are decoded and sent: few enough not to hold up live dispatch. */
const sentRecords = 100;
/** So near to the commit an endpoint joins: the rest is sent while the pipeline stands still. */
const joinDistance = 500;
/** Chunks that are sent while it stands still: it may have been W beyond its commit. */
const mostTurns = 16;
/** A join that could not be made is tried again after so long. */
const joinEveryMs = 100;
/** An endpoint that no scan meets waits so long for its turn, while others can be served … */
const patienceMs = 10_000;
/** … and a scan is opened for one of those so often, at most. */
const openEveryMs = 2_000;

/** Sends what frozen endpoints have missed, and lets them follow live again. */
export class CatchUp {
  readonly #ports: CatchUpPorts;
  readonly #servedAt = new Map<string, number>();
  #openedAt = Number.NEGATIVE_INFINITY;
  #joinAgainAt = 0;

  constructor(ports: CatchUpPorts) {
    this.#ports = ports;
  }

  /** Serves one endpoint, and those that stand near it. @returns whether there is more to do at once */
  async turn(): Promise<boolean> {
    const { pipeline } = this.#ports;
    const members = this.#members();
    const to = this.#limit();
    const near = members.filter(({ cursor }) => to - cursor.position <= joinDistance);
    if (near.length > 0 && this.#ports.monotonic() >= this.#joinAgainAt) {
      const [lowest] = near.toSorted((a, b) => a.cursor.position - b.cursor.position);
      // What it takes to tell repeats is read back before the pipeline stands still.
      if (lowest !== undefined && lowest.cursor.position < to) await this.#scanAt(lowest.cursor.position);
      let joined = false;
      const endpointIds = near.map(({ endpoint }) => endpoint.endpointId);
      await pipeline.between(async (position) => void (joined = await this.#join(endpointIds, position)));
      if (joined) return true;
      this.#joinAgainAt = this.#ports.monotonic() + joinEveryMs;
    }
    const first = this.#choose(members.filter((member) => !near.includes(member)));
    return first === undefined ? false : this.#advance(first, members, to);
  }

  /** Nobody is behind for now: what scans hold is let go of. */
  async rest(): Promise<void> {
    this.#servedAt.clear();
    await this.#ports.scans.close();
  }

  /** Up to where may be caught up: what lies beyond the commit may still be sent live by whoever has to repeat it. */
  #limit(): number {
    const { pipeline, without } = this.#ports;
    return without.has('catch-up-below-commit') ? pipeline.reached : pipeline.committedTo;
  }

  #members(): Member[] {
    const members: Member[] = [];
    const { book, awake } = this.#ports.cursors;
    for (const endpointId of awake) {
      const cursor = book.get(endpointId);
      const member = cursor && this.#memberOf(cursor);
      if (member) members.push(member);
    }
    return members;
  }

  #memberOf(cursor: Cursor): Member | null {
    const { subscribers, wishes, loads, source } = this.#ports;
    const endpoint = subscribers.get(cursor.endpointId);
    if (endpoint === undefined || cursor.incarnation !== source.incarnation) return null;
    if (wishes.reasonFor(cursor.endpointId) !== null || cursor.position > this.#limit()) return null;
    const load = loads.of(cursor.endpointId, endpoint.partition);
    const room = load === null ? 0 : catchUpRoom(load);
    return room > 0 ? { cursor, endpoint, room, stoppedAt: null } : null;
  }

  /**
   * Opening a scan costs a read back of all that is needed to tell repeats. So one that is open goes on, and takes along whom
   * it meets; another one is opened where the lowest stands, or for one that has waited for long.
   */
  #choose(members: readonly Member[]): Member | undefined {
    const { scans } = this.#ports;
    const now = this.#ports.monotonic();
    for (const { cursor } of members)
      if (!this.#servedAt.has(cursor.endpointId)) this.#servedAt.set(cursor.endpointId, now);
    const servedAt = ({ cursor }: Member): number => this.#servedAt.get(cursor.endpointId) ?? now;
    const byAge = members.toSorted((a, b) => servedAt(a) - servedAt(b));
    const [oldest] = byAge;
    if (oldest === undefined) return undefined;
    if (now - servedAt(oldest) >= patienceMs && now - this.#openedAt >= openEveryMs) return oldest;
    const [lowest = oldest, ...others] = members.toSorted((a, b) => a.cursor.position - b.cursor.position);
    return (
      byAge.find(({ cursor }) => scans.has(cursor.position)) ??
      [lowest, ...others].find(({ cursor }) => scans.reaches(cursor.position)) ??
      lowest
    );
  }

  /** A scan at that position. */
  async #scanAt(position: number): Promise<LogScan> {
    const { scans, monotonic } = this.#ports;
    if (!scans.reaches(position)) this.#openedAt = monotonic();
    return scans.at(position);
  }

  /** Sends a chunk from where the first one stands to all that stand in it, and stores where they got to. */
  async #advance(first: Member, members: readonly Member[], to: number): Promise<boolean> {
    const { scans, writer, cursors, tell, monotonic } = this.#ports;
    const scan = await this.#scanAt(first.cursor.position);
    const chunk = await scan.peek(to, chunkRecords).catch(async (error: unknown) => {
      await scans.drop(scan);
      if (error instanceof OffsetOutOfRange && error.bounds.start > first.cursor.position) return error.bounds.start;
      throw error;
    });
    if (typeof chunk === 'number') {
      const changes = [{ kind: 'move', ...runOf(first.cursor), position: chunk }] as const;
      tell.lost(first.cursor, chunk);
      if (await writer.write(changes)) cursors.book.move(first.cursor.endpointId, chunk);
      return true;
    }
    const here = members.filter(
      ({ cursor }) => cursor.position >= first.cursor.position && cursor.position < chunk.end,
    );
    const planned = this.#plan(chunk.items, here);
    const next = planned[sentRecords]?.parsed.record.offset;
    const end = next ?? chunk.end;
    const bulk = await this.#fill(planned.slice(0, sentRecords));
    if (!(await bulk.append())) return false;
    tell.caughtUp(bulk.size);
    const moves = here.map(({ cursor, stoppedAt }) => ({
      kind: 'move' as const,
      ...runOf(cursor),
      position: Math.max(cursor.position, Math.min(stoppedAt ?? end, end)),
    }));
    if (!(await writer.write(moves))) return false;
    for (const { endpointId, position } of moves) {
      cursors.book.move(endpointId, position);
      this.#servedAt.set(endpointId, monotonic());
    }
    scan.advance(Math.min(first.stoppedAt ?? end, end));
    return true;
  }

  async #fill(wanted: readonly Planned[]): Promise<BulkDeliveries> {
    const decoded = await this.#ports.events.decode(wanted.map(({ parsed }) => parsed));
    const { source, maxRecordBytes } = this.#ports;
    const dispatchedAt = this.#ports.now();
    const bulk = this.#ports.newBulk();
    for (const [nth, read] of decoded.entries()) {
      // Live dispatch rejects it, whoever wants it.
      if (read.kind === 'rejected') continue;
      const event = prepareEvent(read);
      for (const { endpoint, cursor } of wanted[nth]?.members ?? []) {
        const { incarnation, partition: sourcePartition } = source;
        const space = { stream: liveStream, space: cursor.run, floor: cursor.position };
        const delivery = newDelivery(event, endpoint, { ...space, incarnation, sourcePartition }, dispatchedAt);
        bulk.add(delivery, endpoint.partition, maxRecordBytes);
      }
    }
    return bulk;
  }

  /** Who gets what, in order, as far as the room of each reaches. */
  #plan(records: readonly ScannedRecord[], members: readonly Member[]): Planned[] {
    const byId = new Map(members.map((member) => [member.endpoint.endpointId, member]));
    const matches = new Map<string, readonly Member[]>();
    const matched = (tenantId: string, type: string): readonly Member[] => {
      const name = `${tenantId}\0${type}`;
      const known = matches.get(name);
      if (known !== undefined) return known;
      const all = this.#ports.subscribers.match(tenantId, type);
      const found = all.flatMap(({ endpointId }) => byId.get(endpointId) ?? []);
      matches.set(name, found);
      return found;
    };
    const planned: Planned[] = [];
    for (const { parsed } of records) {
      if (parsed === null) continue;
      const { event, record } = parsed;
      const takers = matched(event.identity.tenantId, event.envelope.type).filter((member) =>
        takes(member, record.offset),
      );
      if (takers.length > 0) planned.push({ parsed, members: takers });
    }
    return planned;
  }

  /** Only between two batches. @returns whether one of them is live again */
  async #join(endpointIds: readonly string[], position: number): Promise<boolean> {
    const { pipeline, cursors, writer, tell, without } = this.#ports;
    if (!without.has('catch-up-below-commit') && !(await pipeline.commitAll())) return false;
    const near = (): Member[] =>
      endpointIds.flatMap((endpointId) => {
        const cursor = cursors.book.get(endpointId);
        return (cursor && this.#memberOf(cursor)) ?? [];
      });
    for (let turns = 0; turns < mostTurns; turns += 1) {
      const behind = near().filter(({ cursor }) => cursor.position < position);
      const [first] = behind.toSorted((a, b) => a.cursor.position - b.cursor.position);
      if (first === undefined) break;
      if (!(await this.#advance(first, behind, position))) return false;
    }
    const arrived = near().filter(({ cursor }) => cursor.position === position);
    if (arrived.length === 0) return false;
    const ends = arrived.map(({ cursor }) => ({ kind: 'end' as const, ...runOf(cursor) }));
    if (!(await writer.write(ends))) return false;
    for (const { cursor } of arrived) {
      cursors.end(cursor);
      this.#servedAt.delete(cursor.endpointId);
    }
    tell.joined(arrived.length);
    return true;
  }
}

interface Planned {
  readonly parsed: ParsedRecord;
  readonly members: readonly Member[];
}

const runOf = ({ endpointId, run }: Cursor): { readonly endpointId: string; readonly run: string } => ({
  endpointId,
  run,
});

function takes(member: Member, offset: number): boolean {
  if (offset < member.cursor.position || member.stoppedAt !== null) return false;
  if (member.room === 0) {
    member.stoppedAt = offset;
    return false;
  }
  member.room -= 1;
  return true;
}
