import type { EventMeta } from '#libs/schema-codec';

/** What people say of an event type, as it is shown; also of a type of which nobody said anything. */
export interface TypeMeta {
  readonly owner: string | null;
  readonly status: EventMeta['status'];
  readonly deprecated: { readonly since: string | null; readonly successor: string | null } | null;
  /** By version number. */
  readonly examples: EventMeta['examples'];
}

const plain: TypeMeta = { owner: null, status: 'active', deprecated: null, examples: new Map() };
const lastsMs = 30_000;

/** The sidecars of `schemas/events`, read again when they are older than 30 s. What cannot be read is logged and kept. */
export class EventMetaFolder {
  #known: ReadonlyMap<string, EventMeta> = new Map();
  #until = Number.NEGATIVE_INFINITY;
  #underWay: Promise<void> | null = null;

  constructor(
    private readonly ports: {
      readonly read: () => Promise<ReadonlyMap<string, EventMeta>>;
      /** Milliseconds of a monotonic clock. */
      readonly monotonic: () => number;
      readonly log: { warn(details: object, message: string): void };
    },
  ) {}

  of(type: string): TypeMeta {
    const found = this.#known.get(type);
    if (found === undefined) return plain;
    const { owner, status, since, successor, examples } = found;
    return { owner, status, deprecated: status === 'deprecated' ? { since, successor } : null, examples };
  }

  async refresh(): Promise<void> {
    if (this.ports.monotonic() < this.#until) return;
    this.#underWay ??= this.#read().finally(() => (this.#underWay = null));
    await this.#underWay;
  }

  async #read(): Promise<void> {
    try {
      this.#known = await this.ports.read();
    } catch (error) {
      // Owner, status and examples are missing then, or old; types and versions are the registry's.
      this.ports.log.warn({ err: error }, 'what is said of event types beside their schemas cannot be read');
    }
    this.#until = this.ports.monotonic() + lastsMs;
  }
}
