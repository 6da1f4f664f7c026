/**
 * Who wrote a retry record: compared by era, then by the group's generation in which the writer gained the partition
 * (DESIGN §3, Ownership). Generations may start again, in a new cluster or when a group was forgotten; eras never do.
 */
export interface WriterEpoch {
  readonly era: number;
  readonly generation: number;
}

/** Negative when `a` is the lower epoch, 0 when they are the same. */
export function compareEpochs(a: WriterEpoch, b: WriterEpoch): number {
  return a.era - b.era || a.generation - b.generation;
}

/**
 * The fences of one retry partition. A record at a higher offset than a fence of a higher epoch than its writer's is void,
 * for every reader, for ever: its source cannot have been committed by its writer, so nothing is lost by it.
 */
export class FenceLevels {
  #below: WriterEpoch | null;
  /** In order of offset, each higher than all before it. */
  readonly #fences: { readonly offset: number; readonly epoch: WriterEpoch }[] = [];

  /** @param below highest epoch of the fences below the offset from which the partition is read; null when there is none */
  constructor(below: WriterEpoch | null) {
    this.#below = below;
  }

  /** Highest epoch of the fences that were met. */
  get present(): WriterEpoch | null {
    return this.#fences.at(-1)?.epoch ?? this.#below;
  }

  /** A fence stands at `offset`. Fences are met in order of offset; one that was met before may be met again. */
  met(offset: number, epoch: WriterEpoch): void {
    const { present } = this;
    if (present === null || compareEpochs(epoch, present) > 0) this.#fences.push({ offset, epoch });
  }

  /** Whether a record at `offset` from that writer is void. Fences below it must have been met. */
  isVoid(offset: number, writer: WriterEpoch): boolean {
    const level = this.levelAt(offset);
    return level !== null && compareEpochs(writer, level) < 0;
  }

  /** Highest epoch of the fences below `position`: what a reader that starts there must know. */
  levelAt(position: number): WriterEpoch | null {
    let level = this.#below;
    for (const { offset, epoch } of this.#fences) {
      if (offset >= position) break;
      level = epoch;
    }
    return level;
  }

  /** Nothing below `position` will be asked for again. */
  forget(position: number): void {
    let first = this.#fences[0];
    while (first !== undefined && first.offset < position) {
      this.#below = first.epoch;
      this.#fences.shift();
      first = this.#fences[0];
    }
  }
}
