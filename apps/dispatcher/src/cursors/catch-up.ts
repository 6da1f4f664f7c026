/**
 * Reads: posthorn.events from an endpoint's cursor, never beyond the partition's commit.
 * Writes: its deliveries of the live stream, in the dedupe space of its run → posthorn.deliveries; the cursor → PostgreSQL.
 * Guarantees: each wanted event below the cursor was sent; nothing is skipped; in source order; within the endpoint's room.
 * A crash here: sent and not stored is sent again in the same space, where workers know it. At a join the cursor's end is
 * stored before live dispatch goes on: before it the endpoint is frozen, after it live, for whoever comes next.
 * Tests: catch-up.spec.ts, test/simulation.
 */
import { catchUpRoom, keepsUp, liveStream, type Cursor } from '#libs/core';
import { OffsetOutOfRange } from '#libs/kafka';
import type { DispatchEndpoint, Subscribers } from '../dispatch-endpoint.js';
import type { ScannedRecord } from '../log-scan.js';
import type { FormPorts } from '../forms/event-forms.js';
import { madeEvents, mostTransformations, transformationsAmong } from '../forms/made-events.js';
import { newDelivery } from '../new-delivery.js';
import type { EventReader, ParsedRecord } from '../read-events.js';
import type { BulkDeliveries } from './bulk-deliveries.js';
import type { CursorWriter } from './cursor-writer.js';
import type { EndpointLoads } from './endpoint-loads.js';
import type { CursorRule, Pipeline } from './freezing.js';
import type { FreezeWishes } from './freeze-wishes.js';
import type { PartitionCursors } from './partition-cursors.js';
import type { Scans } from './scans.js';
import type { Turnstile } from '../turnstile.js';
import { Turns } from './turns.js';

export interface CatchUpPorts {
  readonly pipeline: Pipeline;
  readonly cursors: PartitionCursors;
  readonly writer: CursorWriter;
  readonly wishes: Pick<FreezeWishes, 'reasonFor'>;
  readonly loads: Pick<EndpointLoads, 'of'>;
  readonly subscribers: Pick<Subscribers, 'match'> & { get(endpointId: string): DispatchEndpoint | undefined };
  readonly events: Pick<EventReader, 'decode'>;
  readonly forms: FormPorts;
  readonly scans: Scans;
  readonly turnstile: Turnstile;
  newBulk(): BulkDeliveries;
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
/** … and no further turn of it is begun after so long. */
const mostJoinMs = 250;
/** A join that could not be made is tried again after so long. */
const joinEveryMs = 100;

/** Sends what frozen endpoints have missed, and lets them follow live again. */
export class CatchUp {
  readonly #ports: CatchUpPorts;
  readonly #turns: Turns;
  #joinAgainAt = 0;

  constructor(ports: CatchUpPorts) {
    this.#ports = ports;
    this.#turns = new Turns(() => ports.monotonic());
  }

  /** Serves one endpoint, and those that stand near it. @returns whether there is more to do at once */
  async turn(): Promise<boolean> {
    const { pipeline, scans, turnstile } = this.#ports;
    const to = this.#limit();
    // Nothing is stopped for an endpoint that has no room for the rest.
    const near = this.#members(false).filter(
      ({ cursor, room }) => to - cursor.position <= Math.min(joinDistance, room),
    );
    if (near.length > 0 && this.#ports.monotonic() >= this.#joinAgainAt) {
      await this.#prepare(near, to);
      let joined = false;
      const begunAt = this.#ports.monotonic();
      const endpointIds = near.map(({ endpoint }) => endpoint.endpointId);
      await pipeline.between(async (position) => void (joined = await this.#join(endpointIds, position)));
      if (joined) return true;
      // What takes long, as slow transformations do, holds up live dispatch for a small part of the time.
      const spentMs = this.#ports.monotonic() - begunAt;
      this.#joinAgainAt = this.#ports.monotonic() + Math.max(joinEveryMs, 10 * spentMs);
    }
    // Where they stand by now.
    const all = this.#members();
    const far = all.filter(({ cursor }) => to > cursor.position);
    const first = this.#turns.choose(far, scans);
    return first === null ? false : turnstile.pass(() => this.#advance(first, all, to));
  }

  /** Before the pipeline stands still: what it takes to tell repeats is read back, and the schemas are loaded. */
  async #prepare(near: readonly Member[], to: number): Promise<void> {
    const [lowest] = near.toSorted((a, b) => a.cursor.position - b.cursor.position);
    if (lowest === undefined || lowest.cursor.position >= to) return;
    const scan = await this.#ports.scans.at(lowest.cursor.position);
    try {
      const { items } = await scan.peek(to, chunkRecords);
      const wanted = this.#plan(
        items,
        near.map((member) => ({ ...member })),
      );
      await this.#ports.events.decode(wanted.map(({ parsed }) => parsed));
    } catch (error) {
      // What is lost is told when it is skipped.
      if (!(error instanceof OffsetOutOfRange)) throw error;
      await this.#ports.scans.drop(scan);
    }
  }

  /** Nobody is behind for now: what scans hold is let go of. */
  async rest(): Promise<void> {
    this.#turns.clear();
    await this.#ports.scans.close();
  }

  /** Up to where may be caught up: what lies beyond the commit may still be sent live by whoever has to repeat it. */
  #limit(): number {
    const { pipeline, without } = this.#ports;
    return without.has('catch-up-below-commit') ? pipeline.reached : pipeline.committedTo;
  }

  #members(paced = true): Member[] {
    const members: Member[] = [];
    const { book, awake } = this.#ports.cursors;
    for (const endpointId of awake) {
      const cursor = book.get(endpointId);
      const member = cursor && this.#memberOf(cursor, paced);
      if (member) members.push(member);
    }
    return members;
  }

  /**
   * Null: it is not to be sent to, or too slow to be waited for.
   * @param paced whether it is sent to in slices; a join must not wait for the next one
   */
  #memberOf(cursor: Cursor, paced: boolean): Member | null {
    const { subscribers, wishes, loads, source } = this.#ports;
    const endpoint = subscribers.get(cursor.endpointId);
    if (endpoint === undefined || cursor.incarnation !== source.incarnation) return null;
    if (wishes.reasonFor(cursor.endpointId) !== null || cursor.position > this.#limit()) return null;
    const load = loads.of(cursor.endpointId, endpoint.partition, liveStream);
    const room = load === null ? 0 : catchUpRoom(load, paced);
    if (load === null || (room === 0 && !keepsUp(load))) return null;
    return { cursor, endpoint, room, stoppedAt: null };
  }

  /**
   * Sends a chunk of a scan that reaches the first one to all that stand in it, each from its place on, and stores where they
   * got to.
   * @param all that are behind, also those that wait for their next slice: the scan does not leave them behind
   */
  async #advance(first: Member, all: readonly Member[], to: number): Promise<boolean> {
    const { scans, writer, cursors, tell } = this.#ports;
    if (!scans.covers(first.cursor.position)) this.#turns.opened();
    const scan = await scans.at(first.cursor.position);
    const chunk = await scan.peek(to, chunkRecords).catch(async (error: unknown) => {
      await scans.drop(scan);
      if (error instanceof OffsetOutOfRange) return error.bounds.start;
      throw error;
    });
    if (typeof chunk === 'number') return this.#skipTo(chunk, all);
    const here = all.filter(({ cursor }) => cursor.position >= scan.position && cursor.position < chunk.end);
    for (const { cursor, room } of here) if (room > 0) this.#turns.served(cursor.endpointId);
    const planned = this.#plan(chunk.items, here);
    const sent = sentOf(planned);
    const end = planned[sent]?.parsed.record.offset ?? chunk.end;
    const bulk = await this.#fill(planned.slice(0, sent));
    if (!(await bulk.append())) return false;
    tell.caughtUp(bulk.size);
    const moves = here.map(({ cursor, stoppedAt }) => ({
      kind: 'move' as const,
      ...runOf(cursor),
      position: Math.max(cursor.position, Math.min(stoppedAt ?? end, end)),
    }));
    if (!(await writer.write(moves))) return false;
    for (const { endpointId, position } of moves) cursors.move(endpointId, position);
    scan.advance(Math.min(end, ...moves.map(({ position }) => position)));
    return true;
  }

  /** The log begins at `start`: what lies before it is lost to whoever stands there. */
  async #skipTo(start: number, all: readonly Member[]): Promise<boolean> {
    const { writer, cursors, tell } = this.#ports;
    const lost = all.filter(({ cursor }) => cursor.position < start);
    for (const { cursor } of lost) tell.lost(cursor, start);
    const moves = lost.map(({ cursor }) => ({ kind: 'move' as const, ...runOf(cursor), position: start }));
    if (!(await writer.write(moves))) return false;
    for (const { endpointId } of moves) cursors.book.move(endpointId, start);
    return true;
  }

  async #fill(wanted: readonly Planned[]): Promise<BulkDeliveries> {
    const { source, forms, events } = this.#ports;
    const decoded = await events.decode(wanted.map(({ parsed }) => parsed));
    const endpointsOf = (nth: number): readonly DispatchEndpoint[] =>
      wanted[nth]?.members.map(({ endpoint }) => endpoint) ?? [];
    const made = await madeEvents(decoded, endpointsOf, forms);
    const cursors = new Map(
      wanted.flatMap(({ members }) => members).map(({ endpoint, cursor }) => [endpoint.endpointId, cursor]),
    );
    const dispatchedAt = this.#ports.now();
    const { incarnation, partition: sourcePartition } = source;
    const bulk = this.#ports.newBulk();
    for (const one of made) {
      for (const { endpoint, form } of one?.given ?? []) {
        const cursor = cursors.get(endpoint.endpointId);
        if (one === null || cursor === undefined) continue;
        const space = { stream: liveStream, space: cursor.run, floor: cursor.position };
        const origin = { ...space, incarnation, sourcePartition };
        bulk.add(newDelivery(one.event, endpoint, form, origin, dispatchedAt), endpoint.partition);
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
    const isNear = ({ endpoint }: Member): boolean => endpointIds.includes(endpoint.endpointId);
    const until = this.#ports.monotonic() + mostJoinMs;
    for (let turns = 0; turns < mostTurns && this.#ports.monotonic() < until; turns += 1) {
      const all = this.#members(false);
      const behind = all.filter((one) => isNear(one) && one.cursor.position < position && one.room > 0);
      const [first] = behind.toSorted((a, b) => a.cursor.position - b.cursor.position);
      if (first === undefined) break;
      if (!(await this.#advance(first, all, position))) return false;
    }
    const arrived = this.#members(false).filter((one) => isNear(one) && one.cursor.position === position);
    if (arrived.length === 0) return false;
    const ends = arrived.map(({ cursor }) => ({ kind: 'end' as const, ...runOf(cursor) }));
    if (!(await writer.write(ends))) return false;
    for (const { cursor } of arrived) {
      cursors.end(cursor);
      this.#turns.forget(cursor.endpointId);
    }
    tell.joined(arrived.length);
    return true;
  }
}

interface Planned {
  readonly parsed: ParsedRecord;
  readonly members: readonly Member[];
}

/** How many of them are decoded and sent at once: few enough, and with few enough transformations. At least one. */
function sentOf(planned: readonly Planned[]): number {
  let transformations = 0;
  for (const [nth, { members }] of planned.entries()) {
    if (nth === sentRecords || (nth > 0 && transformations >= mostTransformations)) return nth;
    transformations += transformationsAmong(members.map(({ endpoint }) => endpoint));
  }
  return planned.length;
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
