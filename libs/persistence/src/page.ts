/** One page of a list. `nextCursor` is null on the last one. */
export interface Page<T> {
  readonly data: readonly T[];
  readonly nextCursor: string | null;
}

export interface PageRequest {
  /** Rows per page; the caller has checked it. */
  readonly limit: number;
  /** `nextCursor` of the page before; left out for the first one. */
  readonly cursor?: string | undefined;
}
