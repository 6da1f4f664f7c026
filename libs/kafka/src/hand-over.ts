import type { FeedHandler, LogRecord } from './ports.js';

export interface HandOverPorts {
  /** Whether its handler may still be called. */
  isWanted(): boolean;
  /** Nothing is kept any more, or it is no longer paused: more may be fetched. */
  emptied(): void;
  /** The handler threw: nothing is given to it any more. */
  failed(bug: unknown): void;
}

interface Batch {
  readonly records: readonly LogRecord[];
  readonly end: number;
}

/**
 * What was fetched of one partition, on its way to its handler: kept while that is paused, and given in parts, a turn of
 * the event loop for each, where the handler asks for it. A fetch brings a megabyte of one partition: others would wait
 * until all of it was worked through.
 */
export class HandOver {
  paused = false;
  readonly #handler: FeedHandler;
  readonly #ports: HandOverPorts;
  readonly #kept: Batch[] = [];
  /** The next part comes by itself. */
  #goesOn = false;

  constructor(handler: FeedHandler, ports: HandOverPorts) {
    this.#handler = handler;
    this.#ports = ports;
  }

  /** Whether more may be fetched: what is kept bounds what a partition holds. */
  get wants(): boolean {
    return !this.paused && this.#kept.length === 0;
  }

  give(records: readonly LogRecord[], end: number): void {
    const atOnce = Math.max(1, this.#handler.atOnce ?? Infinity);
    if (this.wants && records.length <= atOnce) {
      this.#hand({ records, end });
      return;
    }
    let at = 0;
    do {
      this.#kept.push({ records: atOnce === Infinity ? records : records.slice(at, at + atOnce), end });
      at += atOnce;
    } while (at < records.length);
    if (!this.#goesOn) this.#goOn();
  }

  resume(): void {
    this.paused = false;
    // Not from within the caller: a feed calls its handlers by itself.
    queueMicrotask(() => {
      if (!this.#goesOn) this.#goOn();
    });
  }

  #goOn(): void {
    while (!this.paused && this.#ports.isWanted()) {
      const next = this.#kept.shift();
      if (next === undefined) break;
      this.#hand(next);
      if (this.#kept.length === 0 || this.#handler.atOnce === undefined) continue;
      this.#goesOn = true;
      setImmediate(() => {
        this.#goesOn = false;
        this.#goOn();
      });
      return;
    }
    if (this.wants) this.#ports.emptied();
  }

  #hand({ records, end }: Batch): void {
    try {
      this.#handler.onRecords(records, end);
    } catch (bug) {
      this.#ports.failed(bug);
    }
  }
}
