import { hash } from 'node:crypto';

/** What makes two events the same one: CloudEvents says that (source, id) is unique, a tenant's alone. */
export interface EventIdentity {
  readonly tenantId: string;
  readonly source: string;
  readonly id: string;
}

const keyWords = 4;
const free = -1;
const leastCapacity = 1_024;
/** Slots in use, living or expired, before the table is made anew. */
const fullness = 0.7;

/**
 * Whether an event is a repeat (DESIGN §4): one of the same tenant, source and id stands among the `size` offsets before
 * it in its partition. Decided by position alone, so every dispatcher decides alike; each occurrence counts, also that of a
 * repeat. Give it each event in offset order; at take-over those of the `size` offsets before the first.
 *
 * An open-addressed table of 128-bit keys (SHA-256, so that nobody can make two events collide) and offsets: 24 bytes for
 * a slot, about 6 MB for 100,000 events, whatever their ids are.
 */
export class RepeatWindow {
  readonly #size: number;
  #capacity = leastCapacity;
  #keys = new Uint32Array(leastCapacity * keyWords);
  #offsets = new Float64Array(leastCapacity).fill(free);
  #used = 0;

  constructor(size: number) {
    if (!Number.isSafeInteger(size) || size < 0) throw new RangeError(`a repeat window of ${size} records`);
    this.#size = size;
  }

  /** Bytes that the table takes. */
  get bytes(): number {
    return this.#keys.byteLength + this.#offsets.byteLength;
  }

  /** Notes the event at `offset`. @returns whether it is a repeat. */
  note(identity: EventIdentity, offset: number): boolean {
    if (this.#size === 0) return false;
    if (this.#used >= this.#capacity * fullness) this.#rebuild(offset);
    const key = keyOf(identity);
    const at = this.#slotOf(key, 0);
    const before = this.#offsets[at] ?? free;
    this.#offsets[at] = offset;
    if (before !== free) return offset - before <= this.#size;
    this.#keys.set(key, at * keyWords);
    this.#used += 1;
    return false;
  }

  /** The slot that holds the key (`from` on, in `key`), or the free one where it belongs. */
  #slotOf(key: Uint32Array, from: number): number {
    const mask = this.#capacity - 1;
    const keys = this.#keys;
    for (let at = (key[from] ?? 0) & mask; ; at = (at + 1) & mask) {
      if (this.#offsets[at] === free) return at;
      const slot = at * keyWords;
      if (
        keys[slot] === key[from] &&
        keys[slot + 1] === key[from + 1] &&
        keys[slot + 2] === key[from + 2] &&
        keys[slot + 3] === key[from + 3]
      ) {
        return at;
      }
    }
  }

  /** Leaves out what no event from `offset` on can repeat, and grows when more than half of the room is alive. */
  #rebuild(offset: number): void {
    const keys = this.#keys;
    const offsets = this.#offsets;
    const living = offsets.reduce((count, one) => (this.#isLiving(one, offset) ? count + 1 : count), 0);
    this.#capacity = leastCapacity;
    while (this.#capacity < living * 2) this.#capacity *= 2;
    this.#keys = new Uint32Array(this.#capacity * keyWords);
    this.#offsets = new Float64Array(this.#capacity).fill(free);
    this.#used = living;
    for (const [slot, one] of offsets.entries()) {
      if (!this.#isLiving(one, offset)) continue;
      const at = this.#slotOf(keys, slot * keyWords);
      this.#offsets[at] = one;
      this.#keys.set(keys.subarray(slot * keyWords, (slot + 1) * keyWords), at * keyWords);
    }
  }

  #isLiving(occurrence: number, offset: number): boolean {
    return occurrence !== free && offset - occurrence <= this.#size;
  }
}

const keyBytes = new Uint8Array(keyWords * 4);
const keyView = new Uint32Array(keyBytes.buffer);

/** Lengths first: no two identities share a text. The answer is overwritten by the next call. */
function keyOf({ tenantId, source, id }: EventIdentity): Uint32Array {
  hash('sha256', `${tenantId.length},${source.length},${tenantId}${source}${id}`, 'buffer').copy(keyBytes);
  return keyView;
}
