/** What may be wrong with a JSON value that is to become Avro. Stable: part of the REST API. */
export type DataFaultCode =
  'unknown-field' | 'missing-field' | 'wrong-type' | 'out-of-range' | 'invalid-symbol' | 'invalid-format';

/** One fault of an event's data. `pointer` is a JSON pointer within the data; the root is the empty string. */
export interface DataFault {
  readonly code: DataFaultCode;
  readonly pointer: string;
  readonly detail: string;
}

/** JSON pointer of a member (RFC 6901). */
export function childPointer(pointer: string, token: string | number): string {
  if (typeof token === 'number') return `${pointer}/${token}`;
  const escaped = /[~/]/.test(token) ? token.replaceAll('~', '~0').replaceAll('/', '~1') : token;
  return `${pointer}/${escaped}`;
}
