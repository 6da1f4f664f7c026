/** Code of a tenant, which its endpoints may name. */
export interface Transformation {
  readonly transformationId: string;
  readonly tenantId: string;
  readonly name: string;
  /** Of its code, from 1; the newest is in use. */
  readonly version: number;
  readonly code: string;
  /** When this code came into use. Unix milliseconds, as all times here. */
  readonly codeChangedAt: number;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** Without the code, which is long. */
export type TransformationSummary = Omit<Transformation, 'code' | 'codeChangedAt'>;

export type NewTransformation = Pick<Transformation, 'transformationId' | 'tenantId' | 'name' | 'code'>;

export interface TransformationVersion {
  readonly version: number;
  readonly code: string;
  /** The version whose code it brought back; null for code of its own. */
  readonly restoredFrom: number | null;
  readonly createdAt: number;
}

export type VersionSummary = Omit<TransformationVersion, 'code'>;

export type TransformationUpdate =
  | { readonly outcome: 'updated'; readonly transformation: Transformation }
  /** Nothing is different: nothing was written. */
  | { readonly outcome: 'unchanged'; readonly transformation: Transformation }
  | { readonly outcome: 'not-found' }
  /** Not as the caller expects it: as it is instead. */
  | { readonly outcome: 'unexpected'; readonly transformation: Transformation }
  /** Of the version that was to be restored. */
  | { readonly outcome: 'no-such-version' };
