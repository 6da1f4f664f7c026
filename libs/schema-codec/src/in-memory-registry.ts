import { RegistryUnavailable } from './errors.js';
import type { RegisteredVersion, Registry } from './registry.js';

/** A registry for tests: no compatibility rules, but the same schema gets the same id, as in the real one. */
export class InMemoryRegistry implements Registry {
  readonly #schemas: string[] = [];
  readonly #subjects = new Map<string, number[]>();
  /** When false, every call rejects with `RegistryUnavailable`. */
  available = true;
  /** Calls so far. */
  requests = 0;

  /** @returns the schema's id */
  register(subject: string, schema: object): number {
    const text = JSON.stringify(schema);
    const at = this.#schemas.indexOf(text);
    const id = at < 0 ? this.#schemas.push(text) : at + 1;
    const versions = this.#subjects.get(subject) ?? [];
    if (!versions.includes(id)) this.#subjects.set(subject, [...versions, id]);
    return id;
  }

  async schemaById(id: number): Promise<string | null> {
    this.#answer();
    return this.#schemas[id - 1] ?? null;
  }

  async subjects(): Promise<readonly string[]> {
    this.#answer();
    return [...this.#subjects.keys()];
  }

  async versions(subject: string): Promise<readonly number[] | null> {
    this.#answer();
    return this.#subjects.get(subject)?.map((_, index) => index + 1) ?? null;
  }

  async version(subject: string, version: number): Promise<RegisteredVersion | null> {
    this.#answer();
    const id = this.#subjects.get(subject)?.[version - 1];
    return id === undefined ? null : { id, schema: this.#schemas[id - 1] ?? '', version };
  }

  async idOf(subject: string, schema: object): Promise<number | null> {
    this.#answer();
    const id = this.#schemas.indexOf(JSON.stringify(schema)) + 1;
    return this.#subjects.get(subject)?.includes(id) === true ? id : null;
  }

  #answer(): void {
    this.requests += 1;
    if (!this.available) throw new RegistryUnavailable('the schema registry does not answer: switched off by the test');
  }
}
