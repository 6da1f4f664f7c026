import type { JsonValue } from '#libs/core';
import { asyncApiDocument, openApiDocument, type DocumentedType, type JsonObject } from '#libs/event-documents';
import { decodeCursor, encodeCursor } from '#libs/persistence';
import { differenceOf, exampleOf, jsonShapeOf, type Difference, type EventVersion } from '#libs/schema-codec';
import type { z } from 'zod';
import { listed } from '../http/list-query.js';
import { notFound } from '../problem/app-error.js';
import type { TypeMeta } from './event-meta.js';
import type { listEventTypesQuery } from './event-type.dto.js';
import type { CatalogueType, TypeCatalogue } from './type-catalogue.js';

export interface EventTypeAnswer {
  readonly type: string;
  /** `doc` of its newest version. */
  readonly description: string | null;
  readonly owner: string | null;
  readonly status: TypeMeta['status'];
  readonly deprecated: TypeMeta['deprecated'];
  /** Number of the newest version. */
  readonly newest: number;
  /** Numbers of all, lowest first. */
  readonly versions: readonly number[];
}

export interface DifferenceAnswer {
  readonly from: number;
  readonly to: number;
  readonly changes: readonly Difference[];
}

export interface EventVersionAnswer {
  readonly type: string;
  readonly version: number;
  readonly newest: number;
  /** In the registry. */
  readonly schemaId: number;
  readonly avro: object;
  /** JSON Schema (2020-12) of the data as endpoints receive it. */
  readonly shape: object;
  readonly examples: readonly JsonValue[];
  /** From the version before; null of the first. */
  readonly difference: DifferenceAnswer | null;
}

/** Made from a list of types when they are first asked for. */
interface Documents {
  readonly of: readonly CatalogueType[];
  asyncApi?: JsonObject;
  openApi?: JsonObject;
}

/** The event catalogue, as people and programs read it. */
export class EventTypes {
  #documents: Documents = { of: [] };

  constructor(
    private readonly catalogue: TypeCatalogue,
    private readonly info: { readonly title: string; readonly version: string },
  ) {}

  /** Sorted by type. */
  async list({
    limit,
    cursor,
    ...filter
  }: z.output<typeof listEventTypesQuery>): Promise<{ data: EventTypeAnswer[]; nextCursor: string | null }> {
    const after = await listed(() => Promise.resolve(cursor === undefined ? '' : decodeCursor(cursor).id));
    const all = await this.catalogue.all();
    const left = all.filter((one) => one.type > after && isWanted(one, filter));
    const data = left.slice(0, limit).map(answerOf);
    const last = data.at(-1);
    return {
      data,
      nextCursor: left.length > limit && last !== undefined ? encodeCursor({ at: 0, id: last.type }) : null,
    };
  }

  async get(type: string): Promise<EventTypeAnswer> {
    return answerOf(await this.catalogue.get(type));
  }

  async version(type: string, number: string): Promise<EventVersionAnswer> {
    const found = await this.catalogue.get(type);
    const one = versionOf(found, number);
    const before = found.versions[found.versions.indexOf(one) - 1];
    return {
      type,
      version: one.version,
      newest: newestOf(found).version,
      schemaId: one.schemaId,
      avro: one.schema.avro,
      shape: shapeOf(one),
      examples: examplesOf(one, found.meta),
      difference: before === undefined ? null : differenceBetween(before, one),
    };
  }

  /** What a consumer sees change from one version to another; also backwards. */
  async difference(type: string, from: string, to: number): Promise<DifferenceAnswer & { type: string }> {
    const found = await this.catalogue.get(type);
    return { type, ...differenceBetween(versionOf(found, from), versionOf(found, String(to))) };
  }

  /** For consumers; made once for each state of the catalogue. */
  async asyncApi(): Promise<JsonObject> {
    const documents = await this.#documentsOfNow();
    return (documents.asyncApi ??= asyncApiDocument(documents.of.map(documented), this.info));
  }

  async openApi(): Promise<JsonObject> {
    const documents = await this.#documentsOfNow();
    return (documents.openApi ??= openApiDocument(documents.of.map(documented), this.info));
  }

  async #documentsOfNow(): Promise<Documents> {
    const all = await this.catalogue.all();
    if (this.#documents.of !== all) this.#documents = { of: all };
    return this.#documents;
  }
}

function isWanted(
  found: CatalogueType,
  { status, owner, text }: Omit<z.output<typeof listEventTypesQuery>, 'limit' | 'cursor'>,
): boolean {
  const { meta, type } = found;
  if (status !== undefined && meta.status !== status) return false;
  if (owner !== undefined && meta.owner !== owner) return false;
  if (text === undefined) return true;
  const has = wordsIn(`${type} ${descriptionOf(newestOf(found)) ?? ''}`);
  return wordsIn(text).every((word) => has.some((one) => one.startsWith(word)));
}

const wordsIn = (text: string): string[] => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];

/** @throws AppError `not-found` */
function versionOf({ type, versions }: CatalogueType, number: string): EventVersion {
  const found = versions.find(({ version }) => String(version) === number);
  if (found === undefined) throw notFound(`version of ${type}`, number.slice(0, 100));
  return found;
}

export const differenceBetween = (from: EventVersion, to: EventVersion): DifferenceAnswer => ({
  from: from.version,
  to: to.version,
  changes: differenceOf(from.schema.node, to.schema.node),
});

function answerOf(found: CatalogueType): EventTypeAnswer {
  const { owner, status, deprecated } = found.meta;
  const newest = newestOf(found);
  return {
    type: found.type,
    description: descriptionOf(newest),
    owner,
    status,
    deprecated,
    newest: newest.version,
    versions: found.versions.map(({ version }) => version),
  };
}

const documented = (found: CatalogueType): DocumentedType => ({
  type: found.type,
  description: descriptionOf(newestOf(found)),
  deprecated: found.meta.deprecated,
  versions: found.versions.map((one) => ({
    version: one.version,
    shape: jsonShapeOf(one.schema.node),
    examples: examplesOf(one, found.meta),
  })),
});

function newestOf({ type, versions }: CatalogueType): EventVersion {
  const newest = versions.at(-1);
  if (newest === undefined) throw new Error(`${type} stands in the catalogue without a version`);
  return newest;
}

const descriptionOf = ({ schema: { node } }: EventVersion): string | null => (node.kind === 'record' ? node.doc : null);

const shapeOf = (one: EventVersion): object => ({
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  ...jsonShapeOf(one.schema.node),
});

/** Those that its people wrote, where they fit: in this registry a number may stand for another schema. Else a made one. */
export function examplesOf(
  { version, schema }: Pick<EventVersion, 'version' | 'schema'>,
  { examples }: TypeMeta,
): readonly JsonValue[] {
  const fitting = (examples.get(version) ?? []).filter((example) => schema.encode(example).ok);
  return fitting.length > 0 ? fitting : [exampleOf(schema.node)];
}
