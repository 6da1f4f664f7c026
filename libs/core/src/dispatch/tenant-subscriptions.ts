import { parseEventPattern, type EventPattern } from './event-pattern.js';
import { SubscriptionGroup } from './subscription-group.js';
import { byEndpointId, type Subscription } from './subscription.js';

/** Types asked for lately; beyond it the memory is forgotten and begins anew. */
const rememberedTypes = 1_000;

interface Known<S extends Subscription> {
  /** Of every pattern that the type fits. */
  readonly groups: readonly SubscriptionGroup<S>[];
  /** Without a discriminator, by ascending id. */
  readonly plain: readonly S[];
}

/**
 * The endpoints of a tenant by their patterns. A change costs nothing for the other endpoints; what is remembered of types is
 * forgotten for those that it concerns.
 */
export class TenantSubscriptions<S extends Subscription> {
  readonly #exact = new Map<string, SubscriptionGroup<S>>();
  readonly #below = new Map<string, SubscriptionGroup<S>>();
  readonly #any = new SubscriptionGroup<S>();
  readonly #everyone = new Map<string, readonly S[]>();
  readonly #known = new Map<string, Known<S>>();

  get isEmpty(): boolean {
    return this.#any.size + this.#below.size + this.#exact.size === 0;
  }

  add(subscription: S, patterns: readonly EventPattern[]): void {
    for (const pattern of patterns) {
      const group = this.#group(pattern) ?? this.#begin(pattern);
      // An endpoint may name a pattern twice.
      group.remove(subscription.endpointId);
      this.#changed(pattern, group.add(subscription));
    }
  }

  remove({ endpointId, eventTypes }: S): void {
    for (const pattern of eventTypes.map(parseEventPattern)) {
      const group = this.#group(pattern);
      if (group === undefined) continue;
      const plain = group.remove(endpointId);
      if (group.size === 0) this.#end(pattern);
      this.#changed(pattern, plain);
    }
  }

  match(type: string): readonly S[] {
    const known = this.#everyone.get(type);
    if (known !== undefined) return known;
    const found = sorted(this.#groupsOf(type).map((group) => group.all()));
    remember(this.#everyone, type, found);
    return found;
  }

  candidates(type: string, valuesOf: (path: string) => readonly string[]): readonly S[] {
    const { groups, plain } = this.#known.get(type) ?? this.#look(type);
    const discriminating = groups.filter((group) => group.isDiscriminating);
    if (discriminating.length === 0) return plain;
    const found = sorted(discriminating.map((group) => group.discriminated(valuesOf)));
    return found.length === 0 ? plain : merged(plain, found);
  }

  #look(type: string): Known<S> {
    const groups = this.#groupsOf(type);
    const known = { groups, plain: sorted(groups.map((group) => group.plain())) };
    remember(this.#known, type, known);
    return known;
  }

  #groupsOf(type: string): SubscriptionGroup<S>[] {
    const groups = [this.#any, this.#exact.get(type)];
    for (let dot = type.indexOf('.'); dot !== -1; dot = type.indexOf('.', dot + 1))
      groups.push(this.#below.get(type.slice(0, dot)));
    return groups.filter((group) => group !== undefined);
  }

  #group(pattern: EventPattern): SubscriptionGroup<S> | undefined {
    if (pattern.kind === 'any') return this.#any;
    return pattern.kind === 'exact' ? this.#exact.get(pattern.type) : this.#below.get(pattern.prefix);
  }

  #begin(pattern: EventPattern): SubscriptionGroup<S> {
    const group = new SubscriptionGroup<S>();
    if (pattern.kind === 'exact') this.#exact.set(pattern.type, group);
    else if (pattern.kind === 'below') this.#below.set(pattern.prefix, group);
    forget(this.#known, pattern);
    return group;
  }

  #end(pattern: EventPattern): void {
    if (pattern.kind === 'exact') this.#exact.delete(pattern.type);
    else if (pattern.kind === 'below') this.#below.delete(pattern.prefix);
  }

  /** @param plain whether it was one without a discriminator: the others are not in the lists */
  #changed(pattern: EventPattern, plain: boolean): void {
    forget(this.#everyone, pattern);
    if (plain) forget(this.#known, pattern);
  }
}

/** Each once, by ascending id: an endpoint may be in several groups of a type. */
function sorted<S extends Subscription>(groups: readonly Iterable<S>[]): S[] {
  const found = new Map<string, S>();
  for (const group of groups) for (const one of group) found.set(one.endpointId, one);
  return [...found.values()].sort(byEndpointId);
}

/** Two lists that share none. */
function merged<S extends Subscription>(a: readonly S[], b: readonly S[]): readonly S[] {
  if (a.length === 0) return b;
  const all: S[] = [];
  let at = 0;
  for (const one of b) {
    for (let next = a[at]; next !== undefined && next.endpointId < one.endpointId; next = a[at]) {
      all.push(next);
      at += 1;
    }
    all.push(one);
  }
  return all.concat(a.slice(at));
}

function remember<T>(memory: Map<string, T>, type: string, known: T): void {
  if (memory.size >= rememberedTypes) memory.clear();
  memory.set(type, known);
}

function forget(memory: Map<string, unknown>, pattern: EventPattern): void {
  if (pattern.kind === 'any') memory.clear();
  else if (pattern.kind === 'exact') memory.delete(pattern.type);
  else for (const type of memory.keys()) if (type.startsWith(`${pattern.prefix}.`)) memory.delete(type);
}
