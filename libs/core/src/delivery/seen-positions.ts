import { isTestStream } from './test-send.js';

/** A dedupe space (DESIGN §3, Effectively once): where deliveries of one stream come from. */
export interface DedupeSpace {
  readonly stream: string;
  readonly incarnation: number;
  readonly sourcePartition: number;
  /** Empty for live dispatch and replays; of a catch-up, its run … */
  readonly space: string;
  /** … of this endpoint. */
  readonly endpointId: string;
}

/** A floor of a live space that no record carries: learnt from the dispatchers' commit. */
export interface LearntFloor {
  readonly incarnation: number;
  readonly sourcePartition: number;
  /** Source offsets below it are repeats. */
  readonly floor: number;
}

export interface SeenRecord extends DedupeSpace {
  readonly sourceOffset: number;
  /** Last commit of the source partition that its sender knew as acknowledged. */
  readonly floor: number;
}

/** The live stream's name: its spaces are the ones that dispatchers commit. */
export const liveStream = 'live';
/** Stretches of ids below a floor that are told apart. */
const mostNeeded = 256;
/** So long after the end of a space, by append time, something of it may still come. */
const endedMs = 3_600_000;

interface Group {
  /** Of the first of them. */
  readonly pos: number;
  /** Endpoints of this source offset, with their `pos`. */
  readonly endpoints: Map<string, number>;
}

/** What a reader must read from `pos` on, as long as the record at `until`, which makes it needless, is not committed. */
interface Needed {
  readonly pos: number;
  readonly until: number;
}

interface Space {
  floor: number;
  /** By source offset; in order of the first `pos`. */
  readonly groups: Map<number, Group>;
  /** Ids below the floor, which is carried by records that may not be committed yet; in order. */
  needed: Needed[];
  /** The floor was learnt. */
  learnt: LearntFloor | null;
  /** Where a record carries one as high as was learnt. */
  carriedAt: number;
  /** Its end record: all that follows is a repeat, for as long as this is remembered. */
  ended: { readonly pos: number; readonly appendedAt: number } | null;
}

interface Pending {
  readonly space: Space;
  readonly floor: LearntFloor;
  readonly end: number;
}

/**
 * Tells repeats among the records of one partition of `deliveries`: by the set of ids seen in each space above its floor.
 * Never by a high-water mark: it would lose what a slower sender brings later. The set is bounded, because a dispatcher
 * never sends more than W records beyond its commit. A record at a `pos` that was seen already, after a restore, is none.
 */
export class SeenPositions {
  readonly #spaces = new Map<string, Space>();
  #pending: Pending[] = [];
  /** Append time of the last record. */
  #readAt = 0;
  readonly #ended = new Map<string, Space>();
  /** Of the last record: records come in runs of one space. */
  #last: { readonly of: DedupeSpace; readonly space: Space } | null = null;

  /** @param learnt from the commit's metadata */
  constructor(learnt: readonly LearntFloor[] = []) {
    for (const floor of learnt) {
      const space = this.#space(liveSpaceOf(floor));
      space.floor = floor.floor;
      space.learnt = floor;
    }
  }

  /** The record at `pos` was read. @returns whether it is a repeat: then it settles at once */
  isRepeat(record: SeenRecord, pos: number): boolean {
    const { stream, endpointId, sourceOffset, floor } = record;
    if (isTestStream(stream)) return false;
    const space = this.#space(record);
    if (space.ended !== null) return true;
    if (floor > space.floor) raise(space, floor, pos);
    if (space.learnt !== null && floor >= space.learnt.floor) space.carriedAt = Math.min(space.carriedAt, pos);
    if (sourceOffset < space.floor) return true;
    const group = space.groups.get(sourceOffset);
    if (group === undefined) {
      space.groups.set(sourceOffset, { pos, endpoints: new Map([[endpointId, pos]]) });
      return false;
    }
    const seenAt = group.endpoints.get(endpointId);
    if (seenAt === undefined) group.endpoints.set(endpointId, pos);
    return seenAt !== undefined && seenAt !== pos;
  }

  /** The space's end record stands at `pos`, appended at that time (Unix ms). */
  end(of: DedupeSpace, pos: number, appendedAt: number): void {
    const space = this.#space(of);
    if (space.ended !== null) return;
    space.ended = { pos, appendedAt };
    const lowest = lowestOf(space.groups);
    // Until the end itself is committed, a reader from the commit on needs the ids.
    if (lowest !== null) space.needed.push({ pos: lowest, until: pos });
    space.groups.clear();
    this.#ended.set(nameOf(of), space);
  }

  /** A record that was appended at that time (Unix ms) was read. */
  readAt(appendedAt: number): void {
    this.#readAt = Math.max(this.#readAt, appendedAt);
  }

  /**
   * The dispatchers' commit of a live space was `floor`, and the partition's end was read afterwards: from `end` on, source
   * offsets below the floor are repeats. It counts once everything below `end` is settled.
   */
  learn(floor: LearntFloor, end: number): void {
    this.#learnOne(floor, end);
    // What comes of an incarnation that was left is a repeat, or nobody's any more.
    for (const { incarnation, sourcePartition } of this.liveSpaces()) {
      if (sourcePartition !== floor.sourcePartition || incarnation >= floor.incarnation) continue;
      this.#learnOne({ incarnation, sourcePartition, floor: Number.MAX_SAFE_INTEGER }, end);
    }
  }

  #learnOne(floor: LearntFloor, end: number): void {
    const space = this.#spaces.get(nameOf(liveSpaceOf(floor)));
    if (space === undefined || space.groups.size === 0 || floor.floor <= space.floor) return;
    this.#pending = this.#pending.filter((one) => one.space !== space);
    this.#pending.push({ space, floor, end });
  }

  /**
   * Live spaces whose set holds ids, with the lowest `pos` of them: what `b` waits for. For whoever looks up the
   * dispatchers' commits.
   */
  *liveSpaces(): Iterable<{ readonly incarnation: number; readonly sourcePartition: number; readonly pos: number }> {
    for (const [name, { groups }] of this.#spaces) {
      const [stream, incarnation, sourcePartition, run] = JSON.parse(name) as [string, number, number, string];
      const pos = lowestOf(groups);
      if (stream === liveStream && run === '' && pos !== null) yield { incarnation, sourcePartition, pos };
    }
  }

  /** Ids that are remembered. */
  get size(): number {
    let size = 0;
    for (const { groups } of this.#spaces.values()) for (const { endpoints } of groups.values()) size += endpoints.size;
    return size;
  }

  /**
   * What a commit must carry, so that a reader from `b` on knows what is known here.
   * @param committable offset up to which everything is settled
   * @param maxFloors as many fit: with more of them, `b` stays where it is
   */
  restorePoint(committable: number, maxFloors = 200): { readonly b: number; readonly floors: readonly LearntFloor[] } {
    let room = maxFloors;
    for (const space of this.#spaces.values()) {
      space.needed = space.needed.filter(({ until }) => until >= committable);
      if (space.carriedAt < committable) space.learnt = null;
      if (space.learnt !== null) room -= 1;
    }
    this.#pending = this.#pending.filter((pending) => {
      const { space, floor, end } = pending;
      // Before that, a reader from the commit on would take records below `end` for repeats that are not settled.
      if (committable < end || (space.learnt === null && room <= 0)) return true;
      if (space.learnt === null) room -= 1;
      if (floor.floor > space.floor) {
        raise(space, floor.floor, -1);
        space.learnt = floor;
        space.carriedAt = Infinity;
      }
      return false;
    });
    this.#forgetEnded(committable);
    let b = committable;
    const floors: LearntFloor[] = [];
    for (const { groups, learnt, needed, ended } of this.#spaces.values()) {
      b = Math.min(b, lowestOf(groups) ?? b, needed[0]?.pos ?? b, ended?.pos ?? b);
      if (learnt !== null) floors.push(learnt);
    }
    return { b, floors };
  }

  /** Once it is committed, and nothing of it can come any more, nobody needs to know. */
  #forgetEnded(committable: number): void {
    for (const [name, { ended }] of this.#ended) {
      if (ended === null || ended.pos >= committable || this.#readAt - ended.appendedAt < endedMs) continue;
      this.#ended.delete(name);
      this.#spaces.delete(name);
      this.#last = null;
    }
  }

  #space(of: DedupeSpace): Space {
    if (this.#last !== null && isSame(this.#last.of, of)) return this.#last.space;
    const name = nameOf(of);
    let space = this.#spaces.get(name);
    if (space === undefined) {
      space = { floor: 0, groups: new Map(), needed: [], learnt: null, carriedAt: Infinity, ended: null };
      this.#spaces.set(name, space);
    }
    const { stream, incarnation, sourcePartition, space: run, endpointId } = of;
    this.#last = { of: { stream, incarnation, sourcePartition, space: run, endpointId }, space };
    return space;
  }
}

const isSame = (a: DedupeSpace, b: DedupeSpace): boolean =>
  a.sourcePartition === b.sourcePartition &&
  a.stream === b.stream &&
  a.incarnation === b.incarnation &&
  a.space === b.space &&
  (a.space === '' || a.endpointId === b.endpointId);

/** A catch-up is one endpoint's. */
const nameOf = ({ stream, incarnation, sourcePartition, space, endpointId }: DedupeSpace): string =>
  JSON.stringify([stream, incarnation, sourcePartition, space, space === '' ? '' : endpointId]);

const liveSpaceOf = (of: Pick<DedupeSpace, 'incarnation' | 'sourcePartition'>): DedupeSpace => ({
  stream: liveStream,
  incarnation: of.incarnation,
  sourcePartition: of.sourcePartition,
  space: '',
  endpointId: '',
});

function lowestOf(groups: ReadonlyMap<number, Group>): number | null {
  for (const { pos } of groups.values()) return pos;
  return null;
}

/** @param carriedAt `pos` of the record that carries the floor; -1 when it was learnt, and stands in the commit */
function raise(space: Space, floor: number, carriedAt: number): void {
  const lowest = lowestOf(space.groups);
  space.floor = floor;
  for (const sourceOffset of space.groups.keys()) if (sourceOffset < floor) space.groups.delete(sourceOffset);
  if (lowest === null || carriedAt < 0) return;
  space.needed.push({ pos: lowest, until: carriedAt });
  if (space.needed.length <= mostNeeded) return;
  // With a commit that stands for long: two neighbours become one, which is needed for as long as both.
  space.needed = space.needed.flatMap((one, i, all) =>
    i % 2 === 1 ? [{ pos: all[i - 1]?.pos ?? one.pos, until: one.until }] : i === all.length - 1 ? [one] : [],
  );
}
