/** Collects what narrows a query, and its values, so that no value ever stands in the text of a statement. */
export class Conditions {
  readonly #parameters: unknown[] = [];
  readonly #conditions: string[] = [];

  get parameters(): unknown[] {
    return this.#parameters;
  }

  /** Only rows with this value; undefined narrows nothing. */
  equal(column: string, value: string | undefined): void {
    if (value !== undefined) this.add((place) => `${column} = ${place}`, value);
  }

  /** Only rows with one of these values; undefined narrows nothing. */
  oneOf(column: string, values: readonly string[] | undefined): void {
    if (values !== undefined) this.add((place) => `${column} = ANY(${place}::text[])`, values);
  }

  /** @param condition gets the places of the values, `$2, $3` */
  add(condition: (places: string) => string, ...values: unknown[]): void {
    this.#conditions.push(condition(values.map((value) => this.value(value)).join(', ')));
  }

  /** @returns the place of a value: `$1`. */
  value(value: unknown): string {
    return `$${this.#parameters.push(value)}`;
  }

  /** With its keyword, or nothing. */
  where(): string {
    return this.#conditions.length === 0 ? '' : `WHERE ${this.#conditions.join(' AND ')}`;
  }
}
