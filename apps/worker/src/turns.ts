interface InTurn {
  /** Waits for its turn. */
  inTurn: boolean;
  /** … and has fresh work. */
  freshInTurn: boolean;
  readonly work: { readonly hasFresh: boolean };
}

/** Lanes that can start something, in turn: each starts one, then the next. */
export class Turns<L extends InTurn> {
  #lanes: L[] = [];
  #next = 0;
  #fresh = 0;

  get size(): number {
    return this.#lanes.length - this.#next;
  }

  /** How many of them have fresh work. */
  get fresh(): number {
    return this.#fresh;
  }

  /** Puts a lane at the end, unless it has its place already. */
  give(lane: L): void {
    if (!lane.inTurn) {
      lane.inTurn = true;
      this.#lanes.push(lane);
    }
    this.look(lane);
  }

  /** Its work has changed. */
  look(lane: L): void {
    const counts = lane.inTurn && lane.work.hasFresh;
    if (counts === lane.freshInTurn) return;
    lane.freshInTurn = counts;
    this.#fresh += counts ? 1 : -1;
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
    this.look(lane);
    return lane;
  }
}
