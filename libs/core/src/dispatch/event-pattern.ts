/**
 * What an endpoint subscribes to: an exact event type (`task.updated`), every type below a prefix (`task.*`, also
 * `task.comment.added`), or every type (`*`). Event types are Avro full names.
 */
export type EventPattern =
  | { readonly kind: 'exact'; readonly type: string }
  /** Types that begin with `prefix` and a dot. */
  | { readonly kind: 'below'; readonly prefix: string }
  | { readonly kind: 'any' };

const longest = 255;
const typeName = /^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$/;

/** @returns what is wrong with the pattern, as half a sentence for its author, or null. */
export function eventPatternFault(text: string): string | null {
  if (text === '') return 'is empty; name an event type, `prefix.*` or `*`';
  if (text.length > longest) return `is longer than ${longest} characters`;
  if (text === '*') return null;
  const name = text.endsWith('.*') ? text.slice(0, -2) : text;
  if (name.includes('*')) return 'may have `*` only alone or as its last segment, as in `task.*`';
  if (!typeName.test(name)) {
    return 'must be names of letters, digits and `_` (not beginning with a digit), joined by dots, as in `task.updated` or `task.*`';
  }
  return null;
}

/** Throws a `RangeError` that says what is wrong (`eventPatternFault`). */
export function parseEventPattern(text: string): EventPattern {
  const fault = eventPatternFault(text);
  if (fault !== null) throw new RangeError(`the pattern ${JSON.stringify(text)} ${fault}`);
  if (text === '*') return { kind: 'any' };
  if (text.endsWith('.*')) return { kind: 'below', prefix: text.slice(0, -2) };
  return { kind: 'exact', type: text };
}

/**
 * Patterns as a question about a type. Throws as `parseEventPattern` does. For who asks about many endpoints,
 * `SubscriptionIndex` is faster.
 */
export function typeMatcher(patterns: readonly string[]): (type: string) => boolean {
  const parsed = patterns.map(parseEventPattern);
  return (type) =>
    parsed.some((one) => {
      if (one.kind === 'any') return true;
      return one.kind === 'exact' ? one.type === type : type.startsWith(`${one.prefix}.`);
    });
}
