import { TransformationBreaker, TransformationBudget } from '#libs/core';
import type { FreezeWishes } from '../cursors/freeze-wishes.js';
import type { DispatchEndpoint } from '../dispatch-endpoint.js';
import type { Surroundings } from '../surroundings.js';
import type { RunBudget } from './transformations.js';

/** How long an endpoint that took too much is not followed live, nor caught up. */
const restMs = 10_000;
/** A tenant's endpoints are looked through so often at most. */
const lookEveryMs = 250;

/**
 * Keeps customers' code from holding up others (DESIGN §4): what exceeds its limits again and again is not run for a while;
 * endpoints whose tenant takes more than its share of time are frozen, and catch up outside of the live pipeline, again
 * within that share.
 */
export class FreezingBudget implements RunBudget {
  readonly #wishes: Pick<FreezeWishes, 'set'>;
  readonly #around: Pick<Surroundings, 'monotonic' | 'schedule'>;
  readonly #budget = new TransformationBudget();
  readonly #breaker = new TransformationBreaker();
  /** Endpoints that rest, and how to call that off. */
  readonly #resting = new Map<string, () => void>();
  readonly #lookedAt = new Map<string, number>();

  constructor(wishes: Pick<FreezeWishes, 'set'>, around: Pick<Surroundings, 'monotonic' | 'schedule'>) {
    this.#wishes = wishes;
    this.#around = around;
  }

  refusal(transformationId: string, version: number): string | null {
    return this.#breaker.refusal(transformationId, version, this.#around.monotonic());
  }

  ran(transformationId: string, version: number, exceeded: boolean): void {
    this.#breaker.ran(transformationId, version, exceeded, this.#around.monotonic());
  }

  charge({ tenantId, endpointId }: Pick<DispatchEndpoint, 'tenantId' | 'endpointId'>, cpuMs: number): void {
    const now = this.#around.monotonic();
    this.#budget.charge(tenantId, endpointId, cpuMs, now);
    if (now - (this.#lookedAt.get(tenantId) ?? -Infinity) < lookEveryMs) return;
    this.#lookedAt.delete(tenantId);
    this.#lookedAt.set(tenantId, now);
    const [oldest] = this.#lookedAt.keys();
    if (this.#lookedAt.size > 10_000 && oldest !== undefined) this.#lookedAt.delete(oldest);
    for (const one of this.#budget.toFreeze(tenantId, now)) this.#rest(one);
  }

  /** The process ends. */
  close(): void {
    for (const callOff of this.#resting.values()) callOff();
    this.#resting.clear();
  }

  #rest(endpointId: string): void {
    this.#budget.forget(endpointId);
    this.#resting.get(endpointId)?.();
    this.#wishes.set(endpointId, 'cost', 'overflow');
    const callOff = this.#around.schedule(restMs, () => {
      this.#resting.delete(endpointId);
      this.#wishes.set(endpointId, 'cost', null);
    });
    this.#resting.set(endpointId, callOff);
  }
}
