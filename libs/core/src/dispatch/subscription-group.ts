import type { Discriminator, Subscription } from './subscription.js';

interface Member<S> {
  readonly subscription: S;
  /** The one of its discriminators that it is found by. */
  readonly by: Discriminator | null;
}

/** The endpoints of one pattern, apart by what an event must have for them. */
export class SubscriptionGroup<S extends Subscription> {
  readonly #members = new Map<string, Member<S>>();
  /** Without a discriminator. */
  readonly #plain = new Map<string, S>();
  /** By path, then by value. */
  readonly #discriminated = new Map<string, Map<string, Map<string, S>>>();

  get size(): number {
    return this.#members.size;
  }

  get isDiscriminating(): boolean {
    return this.#discriminated.size > 0;
  }

  *all(): Iterable<S> {
    for (const { subscription } of this.#members.values()) yield subscription;
  }

  plain(): Iterable<S> {
    return this.#plain.values();
  }

  /** @returns whether it is a plain one */
  add(subscription: S): boolean {
    const by = this.#rarest(subscription.discriminators ?? []);
    this.#members.set(subscription.endpointId, { subscription, by });
    if (by === null) this.#plain.set(subscription.endpointId, subscription);
    else this.#bucket(by).set(subscription.endpointId, subscription);
    return by === null;
  }

  /** @returns whether it was a plain one */
  remove(endpointId: string): boolean {
    const by = this.#members.get(endpointId)?.by ?? null;
    this.#members.delete(endpointId);
    if (by === null) return this.#plain.delete(endpointId);
    const values = this.#discriminated.get(by.path);
    const bucket = values?.get(by.value);
    bucket?.delete(endpointId);
    if (bucket?.size === 0) values?.delete(by.value);
    if (values?.size === 0) this.#discriminated.delete(by.path);
    return false;
  }

  /**
   * Endpoints with a discriminator that an event has. Asks once for each path.
   * @param valuesOf what the event has there
   */
  *discriminated(valuesOf: (path: string) => readonly string[]): Iterable<S> {
    for (const [path, values] of this.#discriminated) {
      for (const value of valuesOf(path)) yield* values.get(value)?.values() ?? [];
    }
  }

  /** The one that fewest others are found by. */
  #rarest(discriminators: readonly Discriminator[]): Discriminator | null {
    let [rarest = null] = discriminators;
    if (discriminators.length < 2) return rarest;
    let fewest = Number.POSITIVE_INFINITY;
    for (const one of discriminators) {
      const size = this.#discriminated.get(one.path)?.get(one.value)?.size ?? 0;
      if (size >= fewest) continue;
      fewest = size;
      rarest = one;
    }
    return rarest;
  }

  #bucket({ path, value }: Discriminator): Map<string, S> {
    const values = this.#discriminated.get(path) ?? new Map<string, Map<string, S>>();
    this.#discriminated.set(path, values);
    const bucket = values.get(value) ?? new Map<string, S>();
    values.set(value, bucket);
    return bucket;
  }
}
