import { typeMatcher } from '#libs/core';
import type { Endpoint } from '#libs/persistence';
import type { TypeCatalogue } from '../event-types/type-catalogue.js';
import type { CreateEndpointBody, PatchEndpointBody } from './endpoint.dto.js';
import { mergePins, type Pins } from './versions-merge.js';

/**
 * The pins of endpoints, from what the registry has at the time. A pin is a promise for years, so without an answer of the
 * registry none is made: rejects with `registry-unavailable`.
 */
export class VersionPins {
  constructor(private readonly catalogue: Pick<TypeCatalogue, 'current'>) {}

  async ofNew({ eventTypes, versions }: Pick<CreateEndpointBody, 'eventTypes' | 'versions'>): Promise<Pins> {
    return mergePins(null, { eventTypes, versions }, await this.#known(eventTypes, versions));
  }

  /** @returns undefined when the patch leaves them as they are. */
  async ofPatched(before: Endpoint, patch: PatchEndpointBody): Promise<Pins | undefined> {
    const { eventTypes = before.eventTypes, versions } = patch;
    if (versions === undefined && patch.eventTypes === undefined) return undefined;
    return mergePins(before, { eventTypes, versions }, await this.#known(eventTypes, versions));
  }

  /** The types that are wanted or named. */
  async #known(eventTypes: readonly string[], versions: object | null | undefined) {
    const named = new Set(Object.keys(versions ?? {}));
    const wanted = typeMatcher(eventTypes);
    return this.catalogue.current((type) => wanted(type) || named.has(type));
  }
}
