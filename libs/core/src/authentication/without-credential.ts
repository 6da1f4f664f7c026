import type { PostResult } from '../delivery/post-result.js';

/** Stands where a credential was. */
export const hiddenCredential = '***';

/** A beginning of it at the end of an answer that was cut counts from so many bytes on. */
const shortestBeginning = 6;

/**
 * An answer, or why there is none, without what it repeats of a credential: some receivers send back what they were sent.
 * Finds it as it was sent and as it stands in JSON, not in another encoding.
 * @returns the same object when there was nothing
 */
export function withoutCredential(result: PostResult, hidden: readonly string[]): PostResult {
  if (hidden.length === 0) return result;
  if (result.kind === 'error') {
    const message = withoutText(result.error.message, hidden);
    return message === result.error.message ? result : { ...result, error: { ...result.error, message } };
  }
  const body = cleaned(result.body, result.truncated, hidden);
  const headers = hidden.some((text) => Object.values(result.headers).some((value) => value.includes(text)))
    ? Object.fromEntries(Object.entries(result.headers).map(([name, value]) => [name, withoutText(value, hidden)]))
    : result.headers;
  return body === result.body && headers === result.headers ? result : { ...result, body, headers };
}

export const withoutText = (text: string, hidden: readonly string[]): string =>
  hidden.reduce((rest, one) => rest.replaceAll(one, hiddenCredential), text);

/** Bytes are looked at as Latin-1, of which every byte is a character. */
function cleaned(body: Buffer, isCut: boolean, hidden: readonly string[]): Buffer {
  const needles = hidden.map((text) => Buffer.from(text, 'utf8').toString('latin1'));
  let text = body.toString('latin1');
  const before = text;
  for (const needle of needles) {
    text = text.replaceAll(needle, hiddenCredential);
    if (isCut) text = withoutBeginning(text, needle);
  }
  return text === before ? body : Buffer.from(text, 'latin1');
}

function withoutBeginning(text: string, needle: string): string {
  for (let length = Math.min(needle.length - 1, text.length); length >= shortestBeginning; length -= 1) {
    if (text.endsWith(needle.slice(0, length))) return text.slice(0, -length) + hiddenCredential;
  }
  return text;
}
