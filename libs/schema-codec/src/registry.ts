/** A schema as the registry holds it. `schema` is its Avro JSON text. */
export interface RegisteredVersion {
  readonly id: number;
  readonly schema: string;
  /** Number of the version within its subject, from 1. */
  readonly version: number;
}

/** What the codec needs of a schema registry. Every method rejects with `RegistryUnavailable` when it does not answer. */
export interface Registry {
  schemaById(id: number): Promise<string | null>;
  subjects(): Promise<readonly string[]>;
  /** Numbers of a subject's versions, lowest first (there may be gaps); null when there is no such subject. */
  versions(subject: string): Promise<readonly number[] | null>;
  /** Null when there is none, or none in Avro. */
  version(subject: string, version: number): Promise<RegisteredVersion | null>;
  /** Id of exactly this schema under this subject; null if it was never registered there. */
  idOf(subject: string, schema: object): Promise<number | null>;
}
