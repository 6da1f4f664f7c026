import type { Loaded } from './machine.js';

/** What a failure to load takes, about. */
const failureBytes = 1_024;

/** What was loaded, by transformation and version; the one that was used least recently goes first. */
export class Images {
  readonly #byKey = new Map<string, Loaded>();
  #bytes = 0;

  constructor(private readonly maxBytes: number) {}

  get(transformationId: string, version: number): Loaded | null {
    const key = keyOf(transformationId, version);
    const loaded = this.#byKey.get(key);
    if (loaded === undefined) return null;
    this.#byKey.delete(key);
    this.#byKey.set(key, loaded);
    return loaded;
  }

  set(transformationId: string, version: number, loaded: Loaded): void {
    this.#byKey.set(keyOf(transformationId, version), loaded);
    this.#bytes += bytesOf(loaded);
    for (const key of this.#byKey.keys()) {
      if (this.#bytes <= this.maxBytes || this.#byKey.size === 1) break;
      this.#delete(key);
    }
  }

  forget(transformationId: string): void {
    for (const key of this.#byKey.keys()) if (key.startsWith(`${transformationId}\n`)) this.#delete(key);
  }

  clear(): void {
    this.#byKey.clear();
    this.#bytes = 0;
  }

  #delete(key: string): void {
    const loaded = this.#byKey.get(key);
    if (loaded !== undefined) this.#bytes -= bytesOf(loaded);
    this.#byKey.delete(key);
  }
}

const keyOf = (transformationId: string, version: number): string => `${transformationId}\n${version}`;
const bytesOf = (loaded: Loaded): number => (loaded.kind === 'loaded' ? loaded.image.bytes : failureBytes);
