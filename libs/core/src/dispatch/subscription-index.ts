import { parseEventPattern } from './event-pattern.js';
import type { Subscription } from './subscription.js';
import { TenantSubscriptions } from './tenant-subscriptions.js';

/**
 * Who wants an event: tenant → type → what their filters ask for → endpoints. An event costs a look at each path that the
 * endpoints of its tenant and type are told apart by, and at the endpoints that may want it: never anything for those that
 * do not want its type, nor for those that are found by a value that it does not have.
 */
export class SubscriptionIndex<S extends Subscription> {
  readonly #byId = new Map<string, S>();
  readonly #tenants = new Map<string, TenantSubscriptions<S>>();

  get size(): number {
    return this.#byId.size;
  }

  get(endpointId: string): S | undefined {
    return this.#byId.get(endpointId);
  }

  all(): Iterable<S> {
    return this.#byId.values();
  }

  /** Adds the endpoint, or replaces what was known of it. Throws on an invalid pattern; nothing is changed then. */
  set(subscription: S): void {
    const patterns = subscription.eventTypes.map(parseEventPattern);
    this.delete(subscription.endpointId);
    this.#byId.set(subscription.endpointId, subscription);
    const tenant = this.#tenants.get(subscription.tenantId) ?? new TenantSubscriptions<S>();
    this.#tenants.set(subscription.tenantId, tenant);
    tenant.add(subscription, patterns);
  }

  delete(endpointId: string): void {
    const known = this.#byId.get(endpointId);
    if (known === undefined) return;
    this.#byId.delete(endpointId);
    const tenant = this.#tenants.get(known.tenantId);
    tenant?.remove(known);
    if (tenant?.isEmpty === true) this.#tenants.delete(known.tenantId);
  }

  /** Each endpoint of the tenant that wants the type, once, by ascending id. */
  match(tenantId: string, type: string): readonly S[] {
    return this.#tenants.get(tenantId)?.match(type) ?? [];
  }

  /**
   * Those of `match` that an event may be for, in its order: a choice before the filters, which decide. Left out are only
   * endpoints with a discriminator that the event does not have.
   * @param valuesOf what the event has at the path of a discriminator; several where its versions differ, for an endpoint
   *   is wanted by any of them
   */
  candidates(tenantId: string, type: string, valuesOf: (path: string) => readonly string[]): readonly S[] {
    return this.#tenants.get(tenantId)?.candidates(type, valuesOf) ?? [];
  }

  clear(): void {
    this.#byId.clear();
    this.#tenants.clear();
  }
}
