/** Lanes that can start something, in turn: each starts one, then the next. */
export class Turns<L extends { inTurn: boolean }> {
  #lanes: L[] = [];
  #next = 0;

  get size(): number {
    return this.#lanes.length - this.#next;
  }

  /** Puts a lane at the end, unless it has its place already. */
  give(lane: L): void {
    if (lane.inTurn) return;
    lane.inTurn = true;
    this.#lanes.push(lane);
  }

  next(): L | undefined {
    const lane = this.#lanes[this.#next];
    if (lane === undefined) return undefined;
    lane.inTurn = false;
    this.#next += 1;
    if (this.#next === this.#lanes.length) {
      this.#lanes.length = 0;
      this.#next = 0;
    } else if (this.#next > 256 && this.#next * 2 > this.#lanes.length) {
      this.#lanes = this.#lanes.slice(this.#next);
      this.#next = 0;
    }
    return lane;
  }
}
