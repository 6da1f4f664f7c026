import { parseEventPattern } from './event-pattern.js';

/** What the index needs of an endpoint; what else it holds comes back with the match. */
export interface Subscription {
  readonly endpointId: string;
  readonly tenantId: string;
  /** Valid patterns (`eventPatternFault`). */
  readonly eventTypes: readonly string[];
}

/** Types asked for lately, per tenant; beyond it the memory is forgotten and begins anew. */
const rememberedTypes = 1_000;

/**
 * Who wants an event: tenant → type → endpoints. An event costs one look-up when its type was asked for before, else one
 * per segment of its type: never anything for the endpoints that do not want it.
 */
export class SubscriptionIndex<S extends Subscription> {
  readonly #byId = new Map<string, S>();
  readonly #tenants = new Map<string, TenantIndex<S>>();

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
    const tenant = this.#tenants.get(subscription.tenantId) ?? new TenantIndex<S>();
    this.#tenants.set(subscription.tenantId, tenant);
    for (const pattern of patterns) {
      if (pattern.kind === 'any') tenant.any.set(subscription.endpointId, subscription);
      else if (pattern.kind === 'below') put(tenant.below, pattern.prefix, subscription);
      else put(tenant.exact, pattern.type, subscription);
    }
    tenant.remembered.clear();
  }

  delete(endpointId: string): void {
    const known = this.#byId.get(endpointId);
    if (known === undefined) return;
    this.#byId.delete(endpointId);
    const tenant = this.#tenants.get(known.tenantId);
    if (tenant === undefined) return;
    tenant.any.delete(endpointId);
    for (const text of known.eventTypes) {
      const pattern = parseEventPattern(text);
      if (pattern.kind === 'below') take(tenant.below, pattern.prefix, endpointId);
      else if (pattern.kind === 'exact') take(tenant.exact, pattern.type, endpointId);
    }
    tenant.remembered.clear();
    if (tenant.any.size + tenant.below.size + tenant.exact.size === 0) this.#tenants.delete(known.tenantId);
  }

  /** Each endpoint of the tenant that wants the type, once, by ascending id. */
  match(tenantId: string, type: string): readonly S[] {
    return this.#tenants.get(tenantId)?.match(type) ?? [];
  }

  clear(): void {
    this.#byId.clear();
    this.#tenants.clear();
  }
}

class TenantIndex<S extends Subscription> {
  readonly exact = new Map<string, Map<string, S>>();
  readonly below = new Map<string, Map<string, S>>();
  readonly any = new Map<string, S>();
  readonly remembered = new Map<string, readonly S[]>();

  match(type: string): readonly S[] {
    const known = this.remembered.get(type);
    if (known !== undefined) return known;
    const found = new Map(this.any);
    for (const [id, one] of this.exact.get(type) ?? []) found.set(id, one);
    for (let dot = type.indexOf('.'); dot !== -1; dot = type.indexOf('.', dot + 1)) {
      for (const [id, one] of this.below.get(type.slice(0, dot)) ?? []) found.set(id, one);
    }
    const matched = [...found.values()].sort((a, b) => (a.endpointId < b.endpointId ? -1 : 1));
    if (this.remembered.size >= rememberedTypes) this.remembered.clear();
    this.remembered.set(type, matched);
    return matched;
  }
}

function put<S extends Subscription>(index: Map<string, Map<string, S>>, name: string, subscription: S): void {
  const entry = index.get(name) ?? new Map<string, S>();
  entry.set(subscription.endpointId, subscription);
  index.set(name, entry);
}

function take<S>(index: Map<string, Map<string, S>>, name: string, endpointId: string): void {
  const entry = index.get(name);
  entry?.delete(endpointId);
  if (entry?.size === 0) index.delete(name);
}

/** What an event must have for an endpoint to want it: this text at this place. */
export interface Discriminator {
  /** What `valuesOf` is asked with. */
  readonly path: string;
  readonly value: string;
}
