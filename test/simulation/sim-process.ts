import type { Random } from './random.js';
import type { VirtualTime } from './virtual-time.js';

export type Role = 'worker' | 'dispatcher';

interface Message {
  readonly due: number;
  readonly task: () => void;
  readonly channel: Channel | null;
  callOff: () => void;
}

/** A connection: what goes over it arrives in order. `last` is when the last of it arrives. */
export interface Channel {
  last: number;
}

/** What is wrong with the wire between a process and the brokers at present. */
export interface Trouble {
  /** Requests arrive so much later, in ms, until that time. */
  late: { readonly ms: number; readonly until: number } | null;
  /** How many of the next answers to sends get lost. */
  lostSends: number;
  /** How many of the next answers to commits get lost. */
  lostCommits: number;
  /** How many of the next answers of the database get lost. */
  lostQueries: number;
  /** It dies in its next write to the database, which arrives so much later, in ms. */
  diesInWrite: number | null;
}

/**
 * A process of the simulation: all that reaches it (timers, answers, records, assignments) goes through `run`, and all that
 * it does goes through `enters`. So it can stop dead between any two of its awaits, or sleep: then what should have
 * reached it waits until it wakes.
 */
export class SimProcess {
  readonly trouble: Trouble = { late: null, lostSends: 0, lostCommits: 0, lostQueries: 0, diesInWrite: null };
  #state: 'alive' | 'asleep' | 'dead' = 'alive';
  #parked: (() => void)[] = [];
  readonly #messages = new Set<Message>();
  #callsLeft: number | null = null;
  #lastWordsMs = 0;

  /** @param died called when it dies, by whatever */
  constructor(
    readonly name: string,
    readonly role: Role,
    readonly time: VirtualTime,
    readonly random: Random,
    private readonly latencyMs: readonly [number, number],
    private readonly died: (process: SimProcess) => void,
  ) {}

  get isDead(): boolean {
    return this.#state === 'dead';
  }

  get isAsleep(): boolean {
    return this.#state === 'asleep';
  }

  /** Something reaches it. */
  run(task: () => void): void {
    if (this.#state === 'alive') task();
    else if (this.#state === 'asleep') this.#parked.push(task);
  }

  /** A timer of its own. */
  schedule(ms: number, task: () => void): () => void {
    let off = false;
    const callOff = this.time.schedule(ms, () => this.run(() => void (off || task())));
    return () => {
      off = true;
      callOff();
    };
  }

  /** It calls something outside of itself. False: it is dead, and nothing comes of the call, nor an answer. */
  enters(): boolean {
    if (this.#callsLeft !== null && this.#state === 'alive') {
      if (this.#callsLeft === 0) {
        this.#callsLeft = null;
        // It dies in this call: before the request was handed over, or after.
        const handedOver = this.random.chance(0.5);
        this.crash();
        return handedOver;
      }
      this.#callsLeft -= 1;
    }
    return this.#state !== 'dead';
  }

  /** Something leaves it for the network; it arrives whatever becomes of the process. */
  transmit(task: () => void, channel: Channel | null = null): void {
    const { late } = this.trouble;
    const isLate = late !== null && this.time.elapsed < late.until;
    const extra = (isLate ? this.random.int(0, late.ms) : 0) + (this.isDead ? this.#lastWordsMs : 0);
    this.#post(this.latency() + extra, task, channel);
  }

  /** An answer on its way back. */
  answer(task: () => void, ms = this.latency()): void {
    this.time.schedule(ms, () => this.run(task));
  }

  /** Asks the brokers something that has no effect there; never fails, only takes its time. */
  ask<T>(broker: { reach(task: () => void): void }, look: () => T | Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    if (!this.enters()) return promise;
    this.transmit(() =>
      broker.reach(() => {
        Promise.resolve()
          .then(look)
          .then(
            (found) => this.answer(() => resolve(found)),
            (error: unknown) => this.answer(() => reject(error as Error)),
          );
      }),
    );
    return promise;
  }

  latency(): number {
    return this.random.chance(0.03) ? this.random.int(20, 400) : this.random.int(...this.latencyMs);
  }

  crash(): void {
    if (this.#state === 'dead') return;
    this.#state = 'dead';
    this.#parked = [];
    this.died(this);
  }

  /** It will die in one of its next calls; null: not after all. What it hands over in that call arrives so much later. */
  crashInCall(nth: number | null, lateMs = 0): void {
    this.#callsLeft = nth;
    this.#lastWordsMs = lateMs;
  }

  /** It dies now, in a call that is handed over and arrives so much later. */
  crashLate(ms: number): void {
    this.#lastWordsMs = ms;
    this.crash();
  }

  sleep(): void {
    if (this.#state === 'alive') this.#state = 'asleep';
  }

  wake(): void {
    if (this.#state !== 'asleep') return;
    this.#state = 'alive';
    // Each as a task of its own, as the event loop does.
    for (const task of this.#parked.splice(0)) this.time.schedule(0, () => this.run(task));
  }

  /** What it has handed over takes longer to arrive. */
  holdUp(ms: number): number {
    const held = [...this.#messages];
    this.#messages.clear();
    for (const { due, task, channel, callOff } of held.toSorted((a, b) => a.due - b.due)) {
      callOff();
      this.#post(due - this.time.elapsed + ms, task, channel);
    }
    return held.length;
  }

  #post(ms: number, task: () => void, channel: Channel | null): void {
    const due = Math.max(this.time.elapsed + ms, channel?.last ?? 0);
    if (channel !== null) channel.last = due;
    const message: Message = { due, task, channel, callOff: () => undefined };
    this.#messages.add(message);
    message.callOff = this.time.schedule(due - this.time.elapsed, () => {
      this.#messages.delete(message);
      task();
    });
  }
}
