/**
 * A lane that is half full lets its partition wait instead of filling up and spilling, if it would be through with what
 * it has before a spilled copy would come back. A lane that does not move never lets anything wait.
 */
export const crowdedAt = 0.5;
export const relievedAt = 0.25;

/** Lanes that have enough for now and soon want more, by partition (docs/decisions/0006). */
export class Crowding<L extends { readonly partition: number }> {
  readonly #lanes = new Map<number, Set<L>>();

  add(lane: L): void {
    const lanes = this.#lanes.get(lane.partition);
    if (lanes === undefined) this.#lanes.set(lane.partition, new Set([lane]));
    else lanes.add(lane);
  }

  /** Whether one of the partition still has, by what `isStill` says; those that have not are forgotten. */
  isCrowded(partition: number, isStill: (lane: L) => boolean): boolean {
    const lanes = this.#lanes.get(partition);
    if (lanes === undefined) return false;
    for (const lane of lanes) {
      if (isStill(lane)) return true;
      lanes.delete(lane);
    }
    this.#lanes.delete(partition);
    return false;
  }

  drop(partition: number): void {
    this.#lanes.delete(partition);
  }
}
