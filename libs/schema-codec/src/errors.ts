/**
 * - `not-framed`: no Confluent wire format (zero byte, 4-byte schema id).
 * - `unknown-schema`: the registry has no schema of this id, or it is that of another record.
 * - `malformed`: the body is not what its schema says.
 * - `not-prepared`: a bug: `prepare` was not awaited for this record.
 */
export type CodecErrorCode = 'not-framed' | 'unknown-schema' | 'malformed' | 'not-prepared';

/** A record that cannot be decoded. */
export class CodecError extends Error {
  override readonly name = 'CodecError';
  constructor(
    readonly code: CodecErrorCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

/** The registry does not answer (or answers 5xx): nothing is known about the schema. Try again; reject nothing. */
export class RegistryUnavailable extends Error {
  override readonly name = 'RegistryUnavailable';
}
