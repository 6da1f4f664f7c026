import type { OutgoingRecord, RecordPosition, RecordSender } from '#libs/kafka';
import type { LeaseGate } from './lease-gate.js';
import { backoffMs, messageOf, pause, type Surroundings } from './surroundings.js';

export interface AppendingPorts {
  readonly sender: Pick<RecordSender, 'send'>;
  readonly gate: LeaseGate;
  readonly around: Surroundings;
}

/** Appends for one partition until it is acknowledged, within the lease; one call at a time. */
export class Appending {
  readonly #ports: AppendingPorts;
  readonly #wanted: () => boolean;
  readonly #hindered: (what: string, error: unknown, failures: number) => void;
  #sending: Promise<unknown> = Promise.resolve();

  /**
   * @param wanted whether what is appended is still ours to append
   * @param hindered told of each failure that is no end of a lease, before it is tried again
   */
  constructor(
    ports: AppendingPorts,
    wanted: () => boolean,
    hindered: (what: string, error: unknown, failures: number) => void,
  ) {
    this.#ports = ports;
    this.#wanted = wanted;
    this.#hindered = hindered;
  }

  /** @returns where the records stand; null when they are no longer wanted: whether they stand somewhere is not known */
  async append(records: readonly OutgoingRecord[]): Promise<readonly RecordPosition[] | null> {
    const { sender, gate, around } = this.#ports;
    if (records.length === 0) return this.#wanted() ? [] : null;
    for (let failures = 0; ; failures += 1) {
      if (!(await gate.entered(this.#wanted)) || !this.#wanted()) return null;
      try {
        const sending = sender.send(records, { held: () => this.#wanted() && gate.isHeld() });
        this.#sending = sending;
        return await sending;
      } catch (error) {
        if (!this.#wanted()) return null;
        // A lease that ended is no trouble: the gate waits for the next.
        if (isNotHeld(error)) continue;
        this.#hindered('an append failed and is repeated', error, failures);
        around.log.warn({ failures, reason: messageOf(error) }, 'an append failed and is repeated');
        await pause(around, backoffMs(failures));
      }
    }
  }

  /** Resolves when the append on its way, if any, has ended. Close the gate before. */
  async drained(): Promise<void> {
    // How it ended is the caller's to handle.
    await Promise.allSettled([this.#sending]);
  }
}

const isNotHeld = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'not-held';
