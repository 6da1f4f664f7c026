import type { JsonValue } from '#libs/core';

export type JsonObject = { readonly [name: string]: JsonValue };

/** What the documents say of themselves. */
export interface DocumentInfo {
  readonly title: string;
  readonly version: string;
}

/** An event type as consumers are told of it. Who owns it is the business of its producers. */
export interface DocumentedType {
  readonly type: string;
  readonly description: string | null;
  /** Null while it is active. */
  readonly deprecated: { readonly since: string | null; readonly successor: string | null } | null;
  /** Lowest first, at least one. */
  readonly versions: readonly DocumentedVersion[];
}

export interface DocumentedVersion {
  readonly version: number;
  /** JSON Schema (2020-12) of the data. What it shares lies in `$defs` and is referred to as `#/$defs/<name>`. */
  readonly shape: JsonObject;
  /** Of the data; at least one. */
  readonly examples: readonly JsonValue[];
}

/** Key of a version among schemas and messages: no Avro name, and so no type, has a `-`. */
export const versionKey = (type: string, version: number): string => `${type}-v${version}`;

export const newestOf = ({ type, versions }: DocumentedType): DocumentedVersion => {
  const newest = versions.at(-1);
  if (newest === undefined) throw new Error(`${type} has no version to describe`);
  return newest;
};

/** Its description, and what follows from its deprecation. */
export function describe({ description, deprecated }: DocumentedType): string {
  const parts = description === null ? [] : [description];
  if (deprecated !== null) {
    const since = deprecated.since === null ? '' : ` since ${deprecated.since}`;
    const successor = deprecated.successor === null ? '' : ` Its successor is \`${deprecated.successor}\`.`;
    parts.push(`Deprecated${since}.${successor}`);
  }
  return parts.join('\n\n');
}
