import type { Lane } from './lane.js';
import { shedding } from './lane-room.js';
import type { Waiting } from './lane-work.js';

/** Lanes whose circuit is open. Times are of a monotonic clock, in ms. */
export class OpenCircuits<T extends Waiting> {
  readonly #lanes = new Set<Lane<T>>();

  get size(): number {
    return this.#lanes.size;
  }

  /** A POST of the lane has landed. */
  look(lane: Lane<T>, now: number): void {
    if (lane.circuitOpenMs(now) === null) this.#lanes.delete(lane);
    else this.#lanes.add(lane);
  }

  delete(lane: Lane<T>): void {
    this.#lanes.delete(lane);
  }

  /** Endpoints of a partition that are left alone for some time yet. */
  *leftAlone(partition: number, now: number): Iterable<string> {
    for (const lane of this.#lanes) {
      if (lane.partition === partition && (lane.circuitOpenMs(now) ?? 0) > 0) yield lane.endpointId;
    }
  }

  /** Takes away what one of them can do without, each time another one. @returns it, and whose it was */
  shed(now: number): { readonly lane: Lane<T>; readonly items: readonly T[] } | null {
    const [lane] = this.#lanes;
    if (lane === undefined) return null;
    this.#lanes.delete(lane);
    this.#lanes.add(lane);
    return { lane, items: [...shedding(lane, now)] };
  }
}
