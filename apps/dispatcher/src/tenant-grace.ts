import type { Subscribers } from './dispatch-endpoint.js';
import type { ReadRecord } from './read-events.js';
import { pause, type Surroundings } from './surroundings.js';

const lookAgainMs = 20;
/** A tenant that was waited for in vain is not waited for again so soon: others share its partition. */
const rememberedMs = 10_000;
const maxRemembered = 1_000;

/**
 * A tenant is known over REST before its record has reached us through outbox and log. An event that is younger than
 * `graceMs` waits so long for its tenant before it is rejected.
 */
export class TenantGrace {
  readonly #subscribers: Pick<Subscribers, 'hasTenant'>;
  readonly #around: Surroundings;
  readonly #graceMs: number;
  readonly #unknown = new Map<string, number>();

  constructor(subscribers: Pick<Subscribers, 'hasTenant'>, around: Surroundings, graceMs: number) {
    this.#subscribers = subscribers;
    this.#around = around;
    this.#graceMs = graceMs;
  }

  /** Whether there is anything to wait for: spares the promise on the hot path. */
  hasUnknown(records: readonly ReadRecord[]): boolean {
    return records.some((one) => this.#mayCome(one));
  }

  /** Resolves when each tenant is known, or no longer waited for. */
  async passed(records: readonly ReadRecord[]): Promise<void> {
    for (const one of records) {
      if (one.kind !== 'event' || !this.#mayCome(one)) continue;
      const { tenantId } = one.event.identity;
      // Our clock may differ from the broker's: whatever it says, the wait is no longer than the grace.
      const until = this.#around.monotonic() + Math.min(this.#graceMs, this.#graceMs - this.#ageOf(one));
      while (!this.#subscribers.hasTenant(tenantId) && this.#around.monotonic() < until) {
        await pause(this.#around, lookAgainMs);
      }
      if (!this.#subscribers.hasTenant(tenantId)) this.#remember(tenantId);
    }
  }

  #mayCome(one: ReadRecord): boolean {
    if (one.kind !== 'event') return false;
    const { tenantId } = one.event.identity;
    if (this.#subscribers.hasTenant(tenantId) || this.#ageOf(one) >= this.#graceMs) return false;
    return this.#around.monotonic() >= (this.#unknown.get(tenantId) ?? Number.NEGATIVE_INFINITY);
  }

  #ageOf(one: ReadRecord): number {
    return this.#around.now() - one.record.timestamp;
  }

  #remember(tenantId: string): void {
    if (this.#unknown.size >= maxRemembered) this.#unknown.clear();
    this.#unknown.set(tenantId, this.#around.monotonic() + rememberedMs);
  }
}
