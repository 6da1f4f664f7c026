import { versionFor, type Content, type VersionChoice } from './endpoint-content.js';

/**
 * In which versions of a type events may have to be looked at to find endpoints by their data: what any endpoint with such a
 * filter wants. It is the same few for all, however many endpoints there are.
 */
export class WantedVersions {
  /** By type and `version`; how many endpoints name it. */
  readonly #named = new Map<string, Map<number, number>>();
  #latest = 0;
  #first = 0;

  add(content: Content): void {
    this.#count(content, 1);
  }

  remove(content: Content): void {
    this.#count(content, -1);
  }

  of(type: string): readonly VersionChoice[] {
    const wanted: VersionChoice[] = [];
    for (const version of this.#named.get(type)?.keys() ?? [])
      wanted.push(versionFor({ versions: { [type]: version }, latestByDefault: false }, type));
    if (this.#latest > 0) wanted.push(versionFor({ versions: {}, latestByDefault: true }, type));
    if (this.#first > 0) wanted.push(versionFor({ versions: {}, latestByDefault: false }, type));
    return wanted;
  }

  #count({ filter, versions, latestByDefault }: Content, by: 1 | -1): void {
    if (filter?.discriminators.some(({ path }) => path.startsWith('data.')) !== true) return;
    if (latestByDefault) this.#latest += by;
    else this.#first += by;
    for (const [type, version] of Object.entries(versions)) {
      const named = this.#named.get(type) ?? new Map<number, number>();
      this.#named.set(type, named);
      const count = (named.get(version) ?? 0) + by;
      if (count > 0) named.set(version, count);
      else named.delete(version);
      if (named.size === 0) this.#named.delete(type);
    }
  }
}
