import { platformSchemas, RegistryUnavailable, type EventCatalogue, type EventVersion } from '#libs/schema-codec';
import { checkId } from '../http/list-query.js';
import { AppError, notFound } from '../problem/app-error.js';
import type { TypeMeta } from './event-meta.js';

/** An event type with all that is known of it. */
export interface CatalogueType {
  readonly type: string;
  readonly meta: TypeMeta;
  /** Lowest first, at least one. */
  readonly versions: readonly EventVersion[];
}

export interface CataloguePorts {
  readonly registry: Pick<EventCatalogue, 'eventTypes' | 'versionsOf' | 'prepareVersions'>;
  readonly meta: { of(type: string): TypeMeta; refresh(): Promise<void> };
  /** Milliseconds of a monotonic clock. */
  readonly monotonic: () => number;
}

const refreshMs = 30_000;
/** How soon a registry that did not answer is asked again, while an old list is used on. */
const againMs = 10_000;
const atOnce = 16;

/**
 * The event types of the registry. What people read may be 30 s old, or as old as the registry is silent; what endpoints
 * are pinned to is at most 10 s old. Rejects with `registry-unavailable` when nothing, or nothing that young, is known.
 */
export class TypeCatalogue {
  #list: readonly CatalogueType[] | null = null;
  #until = 0;
  #underWay: Promise<readonly CatalogueType[]> | null = null;

  constructor(private readonly ports: CataloguePorts) {}

  /** Sorted by type; the same array until it is read anew. */
  async all(): Promise<readonly CatalogueType[]> {
    if (this.#list !== null && this.ports.monotonic() < this.#until) return this.#list;
    this.#underWay ??= this.#refresh().finally(() => (this.#underWay = null));
    return this.#underWay;
  }

  /** @throws AppError `not-found` */
  async get(type: string): Promise<CatalogueType> {
    await this.ports.meta.refresh();
    const versions =
      type in platformSchemas
        ? []
        : await registryAnswered(this.ports.registry.versionsOf(checkId('event type', type)));
    if (versions.length === 0) throw notFound('event type', type);
    return { type, meta: this.ports.meta.of(type), versions };
  }

  /** Those that match, with the numbers of their versions, as of now: at most 10 s ago. */
  async current(matches: (type: string) => boolean): Promise<readonly { type: string; versions: readonly number[] }[]> {
    const { registry } = this.ports;
    const types = await registryAnswered(registry.eventTypes());
    const wanted = types.filter(matches);
    const known = await this.#load(wanted);
    // To ask for the one after the newest has a list read anew that is older than 10 s.
    const next = known.map(({ type, versions }) => ({ type, version: (versions.at(-1)?.version ?? 0) + 1 }));
    await registryAnswered(registry.prepareVersions(next));
    const current = await this.#load(wanted);
    return current.map(({ type, versions }) => ({ type, versions: versions.map(({ version }) => version) }));
  }

  async #refresh(): Promise<readonly CatalogueType[]> {
    try {
      const types = await registryAnswered(this.ports.registry.eventTypes());
      const found = await this.#load(types);
      await this.ports.meta.refresh();
      this.#list = found.map((one) => ({ ...one, meta: this.ports.meta.of(one.type) }));
      this.#until = this.ports.monotonic() + refreshMs;
      return this.#list;
    } catch (error) {
      if (this.#list === null || !(error instanceof AppError)) throw error;
      this.#until = this.ports.monotonic() + againMs;
      return this.#list;
    }
  }

  /** Those that have versions: a registry may hold other things than event types. */
  async #load(types: readonly string[]): Promise<{ type: string; versions: readonly EventVersion[] }[]> {
    const found: { type: string; versions: readonly EventVersion[] }[] = [];
    for (let i = 0; i < types.length; i += atOnce) {
      const group = types.slice(i, i + atOnce);
      const lists = await registryAnswered(Promise.all(group.map((type) => this.ports.registry.versionsOf(type))));
      found.push(...group.map((type, at) => ({ type, versions: lists[at] ?? [] })));
    }
    return found.filter(({ versions }) => versions.length > 0);
  }
}

/** What the registry answers. Rejects with `registry-unavailable` when it does not. */
export async function registryAnswered<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (cause) {
    if (!(cause instanceof RegistryUnavailable)) throw cause;
    const options = { headers: { 'retry-after': '2' }, cause };
    throw new AppError('registry-unavailable', 'The event types are not known here now; nothing was changed.', options);
  }
}
