/** What one cell of a multi-row statement holds. */
type Value = string | number | boolean | Buffer | null;
export type Cell<T> = (row: T) => Value;

/** One array per column, as `unnest` takes them: the statement is the same for any number of rows. */
export function columns<T>(rows: readonly T[], cells: readonly Cell<T>[]): Value[][] {
  return cells.map((cell) => rows.map(cell));
}

/** Postgres has no NUL in text. One in somebody's event must not stop the projection, so it is shown as U+FFFD. */
export function text(value: string): string;
export function text(value: string | null | undefined): string | null;
export function text(value: string | null | undefined): string | null {
  if (value === null || value === undefined) return null;
  return value.includes('\0') ? value.replaceAll('\0', '\u{fffd}') : value;
}

/** Headers as JSON text; the column type `json` keeps it as it is. */
export function json(value: Readonly<Record<string, string>>): string {
  return JSON.stringify(value);
}
