import type { AttemptErrorKind } from '#libs/core';

/** Why there is no connection, where that is known better than by the code of a socket's error. */
export class ConnectFailure extends Error {
  override readonly name = 'ConnectFailure';
  constructor(
    readonly kind: AttemptErrorKind,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
