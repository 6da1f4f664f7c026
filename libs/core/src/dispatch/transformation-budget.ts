import { fattest } from './fattest.js';

export interface TransformationBudgetLimits {
  /** Over which time is counted, in tenths of it. Milliseconds. */
  readonly windowMs: number;
  /** CPU time of one thread that a tenant may have in a window, from 0 to 1. */
  readonly share: number;
  /** Endpoints that are counted: those that were charged last. */
  readonly counted: number;
}

const defaults: TransformationBudgetLimits = { windowMs: 10_000, share: 0.2, counted: 10_000 };
const slots = 10;

/**
 * CPU time that transformations took, by tenant. One whose transformations took more than its share in the last window has
 * the endpoints named that took the most of it: they are frozen, and catch up outside of the live pipeline (DESIGN §4), where
 * they delay nobody.
 */
export class TransformationBudget {
  readonly #limits: TransformationBudgetLimits;
  /** In the order of their last charge. */
  readonly #endpoints = new Map<string, { readonly tenantId: string; readonly spent: SpentTime }>();
  readonly #tenants = new Map<string, { readonly endpoints: Set<string>; readonly spent: SpentTime }>();

  constructor(limits: Partial<TransformationBudgetLimits> = {}) {
    this.#limits = { ...defaults, ...limits };
  }

  get counted(): number {
    return this.#endpoints.size;
  }

  /** @param now milliseconds of any clock that never goes back, as everywhere here */
  charge(tenantId: string, endpointId: string, cpuMs: number, now: number): void {
    const { windowMs, counted } = this.#limits;
    const entry = this.#endpoints.get(endpointId) ?? { tenantId, spent: new SpentTime(windowMs) };
    const tenant = this.#tenants.get(tenantId) ?? { endpoints: new Set(), spent: new SpentTime(windowMs) };
    entry.spent.add(cpuMs, now);
    this.#endpoints.delete(endpointId);
    this.#endpoints.set(endpointId, entry);
    tenant.spent.add(cpuMs, now);
    tenant.endpoints.add(endpointId);
    this.#tenants.set(tenantId, tenant);
    const [oldest] = this.#endpoints.keys();
    if (this.#endpoints.size > counted && oldest !== undefined) this.forget(oldest);
  }

  /** Whether this endpoint is one of those to be frozen. */
  exceeds(endpointId: string, now: number): boolean {
    const entry = this.#endpoints.get(endpointId);
    return entry !== undefined && this.toFreeze(entry.tenantId, now).includes(endpointId);
  }

  /** The fewest endpoints of the tenant that took what it had too much, those first that took the most. */
  toFreeze(tenantId: string, now: number): readonly string[] {
    const tenant = this.#tenants.get(tenantId);
    const excess = (tenant?.spent.within(now) ?? 0) - this.#limits.share * this.#limits.windowMs;
    if (tenant === undefined || excess <= 0) return [];
    const weights = [...tenant.endpoints].map((endpointId) => ({
      endpointId,
      outstanding: this.#endpoints.get(endpointId)?.spent.within(now) ?? 0,
    }));
    return fattest(weights, excess);
  }

  /** It is deleted, or frozen: from then on its time is not the live pipeline's. */
  forget(endpointId: string): void {
    const entry = this.#endpoints.get(endpointId);
    if (entry === undefined) return;
    this.#endpoints.delete(endpointId);
    const tenant = this.#tenants.get(entry.tenantId);
    tenant?.endpoints.delete(endpointId);
    tenant?.spent.subtract(entry.spent);
    if (tenant?.endpoints.size === 0) this.#tenants.delete(entry.tenantId);
  }
}

/** Milliseconds spent in the running tenth of a window and in the nine before it. */
class SpentTime {
  readonly #bySlot = new Float64Array(slots);
  #slot = 0;

  constructor(private readonly windowMs: number) {}

  add(ms: number, now: number): void {
    this.#roll(now);
    const at = this.#slot % slots;
    this.#bySlot[at] = (this.#bySlot[at] ?? 0) + ms;
  }

  subtract(other: SpentTime): void {
    for (let slot = Math.max(0, this.#slot - slots + 1); slot <= other.#slot; slot += 1) {
      // What is older in the other one is over here.
      if (slot <= other.#slot - slots) continue;
      this.#bySlot[slot % slots] = (this.#bySlot[slot % slots] ?? 0) - (other.#bySlot[slot % slots] ?? 0);
    }
  }

  within(now: number): number {
    this.#roll(now);
    let sum = 0;
    for (const ms of this.#bySlot) sum += ms;
    return sum;
  }

  #roll(now: number): void {
    const slot = Math.max(this.#slot, Math.floor((now / this.windowMs) * slots));
    if (slot - this.#slot >= slots) this.#bySlot.fill(0);
    else for (let passed = this.#slot + 1; passed <= slot; passed += 1) this.#bySlot[passed % slots] = 0;
    this.#slot = slot;
  }
}
