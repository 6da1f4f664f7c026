import type { FixedAuthentication } from './authentication.js';

/** A request header that nobody may read. */
export interface Credential {
  /** In lower case. */
  readonly name: string;
  readonly value: string;
  /** What must not be kept of an answer that repeats it. */
  readonly hidden: readonly string[];
}

/** Shorter ones would be found in any text. */
const shortestHidden = 8;

export function credentialOf(authentication: FixedAuthentication): Credential {
  switch (authentication.kind) {
    case 'bearer':
      return bearerCredential(authentication.token);
    case 'basic': {
      const { username, password } = authentication;
      const pair = basicPair(username, password);
      return { name: 'authorization', value: `Basic ${pair}`, hidden: hiding(pair, password) };
    }
    case 'header': {
      const { name, value } = authentication;
      // A scheme and what follows it: receivers repeat that alone.
      return { name, value, hidden: hiding(value, ...value.split(' ')) };
    }
  }
}

/** RFC 6750 §2.1. */
export const bearerCredential = (token: string): Credential => ({
  name: 'authorization',
  value: `Bearer ${token}`,
  hidden: hiding(token),
});

/** RFC 7617 §2.1, in UTF-8. */
export const basicPair = (username: string, password: string): string =>
  Buffer.from(`${username}:${password}`, 'utf8').toString('base64');

/** The header that is sent under this name is set by the authentication. */
export const credentialHeaderOf = (authentication: {
  readonly kind: 'bearer' | 'basic' | 'header' | 'oauth2';
  readonly name?: string;
}): string => (authentication.kind === 'header' ? (authentication.name ?? '') : 'authorization');

/** As they are, and as they stand in JSON, which is what echoes are mostly made of. */
const hiding = (...texts: readonly string[]): readonly string[] => {
  const long = texts.filter((text) => text.length >= shortestHidden);
  return [...new Set(long.flatMap((text) => [text, JSON.stringify(text).slice(1, -1)]))];
};
