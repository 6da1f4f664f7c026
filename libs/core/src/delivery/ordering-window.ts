/** What order needs to know of a delivery that is outstanding: in flight, in memory, or in a retry topic. */
export interface Ordered {
  /** Offset in `deliveries`. */
  readonly pos: number;
  /** The setting that it was made with. */
  readonly ordering: 'none' | 'key' | 'endpoint';
  /** Null: the key shared by all that have none. */
  readonly orderingKey: string | null;
}

/**
 * The outstanding deliveries of one endpoint and stream, and which of them may go (DESIGN §3, Order): one may go if no
 * lower `pos` that it is ordered to is outstanding. Two are ordered to each other by the stricter of the settings that
 * they were made with, so a change of the setting needs no other barrier.
 *
 * As long as none of them asks for order it costs one set.
 */
export class OrderingWindow<T extends Ordered> {
  readonly #items = new Set<T>();
  /** Of all items; null while none of them asks for order. */
  #order: Orders<T> | null = null;
  #asking = 0;

  get size(): number {
    return this.#items.size;
  }

  add(item: T): void {
    if (this.#items.has(item)) return;
    this.#items.add(item);
    if (item.ordering !== 'none') this.#asking += 1;
    if (this.#order !== null) this.#order.add(item);
    else if (this.#asking > 0) {
      this.#order = new Orders();
      for (const one of [...this.#items].sort((a, b) => a.pos - b.pos)) this.#order.add(one);
    }
  }

  mayGo(item: T): boolean {
    return this.#order === null || this.#order.mayGo(item);
  }

  /** For those that want to go in one piece. It holds until something is added or removed. */
  company(): Company<T> {
    return new Company(this.#order);
  }

  /** All of them: lowest `pos` first as far as order is asked for, else in the order that they came. */
  items(): Iterable<T> {
    return this.#order?.items() ?? this.#items;
  }

  /** It is no longer outstanding, or was answered with success. @returns those that may go now and could not before */
  remove(item: T): readonly T[] {
    if (!this.#items.delete(item)) return [];
    if (item.ordering !== 'none') this.#asking -= 1;
    const freed = this.#order?.remove(item) ?? [];
    if (this.#asking === 0) this.#order = null;
    return freed;
  }
}

/** Outstanding deliveries that go in one piece, in the order of their pos. */
export class Company<T extends Ordered> {
  readonly #order: Orders<T> | null;
  readonly #joined = new Set<T>();
  /** How far each queue is known to consist of what has joined. */
  readonly #reached = new Map<PosQueue<T>, number>();

  constructor(order: Orders<T> | null) {
    this.#order = order;
  }

  /** Lets an item join, if all that it is ordered to have gone or joined before. */
  joins(item: T): boolean {
    if (this.#order === null) return true;
    for (const queue of this.#order.before(item)) {
      const at = queue.firstOutside(this.#joined, this.#reached.get(queue) ?? 0);
      this.#reached.set(queue, at);
      if (queue.posAt(at) < item.pos) return false;
    }
    this.#joined.add(item);
    return true;
  }
}

/** The key of those that have none must differ from every other. */
const keyOf = ({ orderingKey }: Ordered): string => (orderingKey === null ? '' : `:${orderingKey}`);

class Orders<T extends Ordered> {
  readonly #all = new PosQueue<T>();
  readonly #ofEndpoint = new PosQueue<T>();
  readonly #byKey = new Map<string, { readonly all: PosQueue<T>; readonly asking: PosQueue<T> }>();

  add(item: T): void {
    this.#all.add(item);
    if (item.ordering === 'endpoint') this.#ofEndpoint.add(item);
    const key = keyOf(item);
    let queues = this.#byKey.get(key);
    if (queues === undefined) this.#byKey.set(key, (queues = { all: new PosQueue(), asking: new PosQueue() }));
    queues.all.add(item);
    if (item.ordering === 'key') queues.asking.add(item);
  }

  mayGo(item: T): boolean {
    if (item.ordering === 'endpoint') return !this.#all.hasBelow(item.pos);
    if (this.#ofEndpoint.hasBelow(item.pos)) return false;
    const queues = this.#byKey.get(keyOf(item));
    const before = item.ordering === 'key' ? queues?.all : queues?.asking;
    return before === undefined || !before.hasBelow(item.pos);
  }

  /** The queues in which a lower `pos` holds an item up. */
  *before(item: T): Iterable<PosQueue<T>> {
    if (item.ordering === 'endpoint') {
      yield this.#all;
      return;
    }
    yield this.#ofEndpoint;
    const queues = this.#byKey.get(keyOf(item));
    if (queues !== undefined) yield item.ordering === 'key' ? queues.all : queues.asking;
  }

  items(): Iterable<T> {
    return this.#all.range(-1, Infinity);
  }

  remove(item: T): T[] {
    const key = keyOf(item);
    const queues = this.#byKey.get(key);
    // Who waited for it stands between it and the next that holds them up in the same way.
    const candidates = new Set<T>();
    this.#all.remove(item);
    const next = this.#all.first();
    if (next?.ordering === 'endpoint') candidates.add(next);
    if (item.ordering === 'endpoint') {
      this.#ofEndpoint.remove(item);
      const until = this.#ofEndpoint.first()?.pos ?? Infinity;
      for (const one of this.#all.range(item.pos, until)) candidates.add(one);
    }
    if (queues !== undefined) {
      queues.all.remove(item);
      const nextOfKey = queues.all.first();
      if (nextOfKey?.ordering === 'key') candidates.add(nextOfKey);
      if (item.ordering === 'key') {
        queues.asking.remove(item);
        const until = queues.asking.first()?.pos ?? Infinity;
        for (const one of queues.all.range(item.pos, until)) candidates.add(one);
      }
      if (queues.all.size === 0) this.#byKey.delete(key);
    }
    return [...candidates].filter((one) => one.pos > item.pos && this.mayGo(one)).sort((a, b) => a.pos - b.pos);
  }
}

/** Items by `pos`. They nearly always come in order and leave at the front. */
class PosQueue<T extends Ordered> {
  #items: T[] = [];
  readonly #present = new Set<T>();
  #head = 0;
  #isSorted = true;

  get size(): number {
    return this.#present.size;
  }

  add(item: T): void {
    this.#present.add(item);
    const last = this.#items.at(-1);
    if (last !== undefined && last.pos > item.pos) this.#isSorted = false;
    this.#items.push(item);
  }

  remove(item: T): void {
    this.#present.delete(item);
    this.#skip();
  }

  first(): T | undefined {
    this.#sort();
    return this.#items[this.#head];
  }

  hasBelow(pos: number): boolean {
    const first = this.first();
    return first !== undefined && first.pos < pos;
  }

  /** Place of the first that is not among `these`, from the place `from` on. */
  firstOutside(these: ReadonlySet<T>, from: number): number {
    this.#sort();
    let at = Math.max(from, this.#head);
    for (let item = this.#items[at]; item !== undefined; item = this.#items[at]) {
      if (this.#present.has(item) && !these.has(item)) return at;
      at += 1;
    }
    return at;
  }

  /** Infinity beyond the end. */
  posAt(at: number): number {
    return this.#items[at]?.pos ?? Infinity;
  }

  /** From the first above `from` to the first at or above `to`, included. */
  *range(from: number, to: number): Iterable<T> {
    this.#sort();
    for (let i = this.#indexOf(from); i < this.#items.length; i += 1) {
      const item = this.#items[i];
      if (item === undefined || !this.#present.has(item)) continue;
      yield item;
      if (item.pos >= to) return;
    }
  }

  /** Where the first item at or above `pos` stands, or would. */
  #indexOf(pos: number): number {
    let low = this.#head;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#items[middle]?.pos ?? Infinity) < pos) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** At take-over they come by topic, many at a time: once for all of them. */
  #sort(): void {
    if (this.#isSorted) return;
    this.#items = this.#items.filter((item) => this.#present.has(item)).sort((a, b) => a.pos - b.pos);
    this.#head = 0;
    this.#isSorted = true;
  }

  /** What was removed is let go of in one go, now and then; also behind a front that stays for days. */
  #skip(): void {
    for (let item = this.#items[this.#head]; item !== undefined && !this.#present.has(item);) {
      this.#head += 1;
      item = this.#items[this.#head];
    }
    if (this.#items.length <= 64 + 2 * this.#present.size) return;
    this.#items = this.#items.filter((item) => this.#present.has(item));
    this.#head = 0;
  }
}
