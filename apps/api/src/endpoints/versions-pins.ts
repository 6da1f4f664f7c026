import { typeMatcher } from '#libs/core';
import type { Endpoint } from '#libs/persistence';
import type { TypeCatalogue } from '../event-types/type-catalogue.js';
import type { CreateEndpointBody, PatchEndpointBody } from './endpoint.dto.js';
import { mergePins, type KnownType, type Pins } from './versions-merge.js';
import { otherTypes, type VersionsPatch } from './versions.dto.js';

/**
 * The pins of endpoints, from what the registry has at the time. A pin is a promise for years, so without an answer of the
 * registry none is made: rejects with `registry-unavailable`.
 */
export class VersionPins {
  constructor(private readonly catalogue: Pick<TypeCatalogue, 'current'>) {}

  async ofNew({ eventTypes, versions }: Pick<CreateEndpointBody, 'eventTypes' | 'versions'>): Promise<Pins> {
    return mergePins(null, { eventTypes, versions }, await this.#known(eventTypes, versions, false));
  }

  /** @returns undefined when the patch leaves them as they are. */
  async ofPatched(before: Endpoint, patch: PatchEndpointBody): Promise<Pins | undefined> {
    const { eventTypes = before.eventTypes, versions } = patch;
    if (versions === undefined && patch.eventTypes === undefined) return undefined;
    const known = await this.#known(eventTypes, versions, before.latestByDefault);
    return mergePins(before, { eventTypes, versions }, known);
  }

  /** The types that are wanted or named; none where nothing is pinned: that needs no answer. */
  async #known(
    eventTypes: readonly string[],
    versions: VersionsPatch | null | undefined,
    latestByDefault: boolean,
  ): Promise<readonly KnownType[]> {
    const { [otherTypes]: others, ...named } = versions ?? {};
    const follows = others === undefined ? versions !== null && latestByDefault : others === 'latest';
    if (follows && Object.values(named).every((version) => version === null)) return [];
    const wanted = typeMatcher(eventTypes);
    return this.catalogue.current((type) => wanted(type) || Object.hasOwn(named, type));
  }
}
