import type { Endpoint, EndpointRepository } from '#libs/persistence';
import { typeMatcher } from '#libs/core';
import { differenceBetween, type DifferenceAnswer } from '../event-types/event-types.js';
import type { TypeMeta } from '../event-types/event-meta.js';
import type { CatalogueType, TypeCatalogue } from '../event-types/type-catalogue.js';
import { checkId } from '../http/list-query.js';
import { notFound } from '../problem/app-error.js';
import { sentVersion } from './versions-merge.js';

interface TypeVersionAnswer {
  readonly type: string;
  /** What was asked for; null: nothing, because the type came after the endpoint. */
  readonly pinned: number | 'latest' | null;
  /** What it gets. */
  readonly version: number;
  readonly newest: number;
  /** Versions that are newer than what it gets. */
  readonly behind: number;
  readonly status: TypeMeta['status'];
  readonly deprecated: TypeMeta['deprecated'];
  /** From what it gets to the newest; null where that is the same, or where its version is no more. */
  readonly difference: DifferenceAnswer | null;
}

export interface VersionsAnswer {
  /** Of types that come later. */
  readonly others: 'first' | 'latest';
  readonly data: readonly TypeVersionAnswer[];
}

/** Which version of each type an endpoint gets, and what it would get. */
export class TypeVersions {
  constructor(
    private readonly endpoints: Pick<EndpointRepository, 'get'>,
    private readonly catalogue: Pick<TypeCatalogue, 'all'>,
  ) {}

  async list(id: string): Promise<VersionsAnswer> {
    const endpoint = await this.endpoints.get(checkId('endpoint', id));
    if (endpoint === null) throw notFound('endpoint', id);
    const wanted = typeMatcher(endpoint.eventTypes);
    const types = (await this.catalogue.all()).filter(({ type }) => wanted(type));
    return {
      others: endpoint.latestByDefault ? 'latest' : 'first',
      data: types.map((one) => answerOf(endpoint, one)),
    };
  }
}

function answerOf(endpoint: Endpoint, { type, versions, meta }: CatalogueType): TypeVersionAnswer {
  const known = { type, versions: versions.map((one) => one.version) };
  const { version, follows, isNamed } = sentVersion(endpoint, known);
  const present = versions.find((one) => one.version === version);
  const newest = versions.at(-1);
  return {
    type,
    pinned: follows ? 'latest' : isNamed ? version : null,
    version,
    newest: newest?.version ?? version,
    behind: versions.filter((one) => one.version > version).length,
    status: meta.status,
    deprecated: meta.deprecated,
    difference:
      present === undefined || newest === undefined || present === newest ? null : differenceBetween(present, newest),
  };
}
