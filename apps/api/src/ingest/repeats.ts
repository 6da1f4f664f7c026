import { hash } from 'node:crypto';

/** What this process knows of an event: nothing, that an append of it is on its way, or that it was acknowledged. */
export type Known =
  | { readonly state: 'new' }
  | { readonly state: 'in-flight'; readonly outcome: Promise<void> }
  | { readonly state: 'acknowledged' };

const fresh: Known = { state: 'new' };
const acknowledged: Known = { state: 'acknowledged' };

/**
 * Remembers the last `perPartition` events of each partition that this process had acknowledged, so that one sent again
 * is not appended again. Only what was acknowledged counts: an append that failed is forgotten, as it may or may not
 * stand in the log (the dispatcher finds the repeat then). Bounded: about 150 bytes an event.
 */
export class Repeats {
  readonly #inFlight = new Map<string, Promise<void>>();
  readonly #acknowledged = new Map<number, Map<string, true>>();

  constructor(private readonly perPartition: number) {}

  look(partition: number, event: string): Known {
    const outcome = this.#inFlight.get(event);
    if (outcome) return { state: 'in-flight', outcome };
    const known = this.#acknowledged.get(partition);
    if (!known?.has(event)) return fresh;
    // Used again: to the young end, so that the oldest goes first.
    known.delete(event);
    known.set(event, true);
    return acknowledged;
  }

  /** An append of these has begun. Its end decides whether they are remembered. */
  follow(events: readonly { readonly partition: number; readonly event: string }[], outcome: Promise<unknown>): void {
    const settled = outcome.then(
      () => {
        for (const { partition, event } of events) this.#remember(partition, event);
      },
      (error: unknown) => {
        for (const { event } of events) this.#inFlight.delete(event);
        throw error;
      },
    );
    // Whoever waits for it sees the failure; with nobody waiting it is no unhandled rejection.
    settled.catch(() => undefined);
    for (const { event } of events) this.#inFlight.set(event, settled);
  }

  #remember(partition: number, event: string): void {
    this.#inFlight.delete(event);
    if (this.perPartition === 0) return;
    let known = this.#acknowledged.get(partition);
    if (!known) this.#acknowledged.set(partition, (known = new Map()));
    known.set(event, true);
    if (known.size <= this.perPartition) return;
    for (const oldest of known.keys()) {
      known.delete(oldest);
      break;
    }
  }
}

/** 132 bits that stand for (record key, tenant, source, id). Lengths keep the parts apart, whatever they hold. */
export function eventHash(recordKey: string, tenantId: string, source: string, id: string): string {
  const text = `${recordKey.length}.${tenantId.length}.${source.length}.${recordKey}${tenantId}${source}${id}`;
  return hash('sha256', text, 'base64url').slice(0, 22);
}
