/** Request headers that an endpoint may set for itself (RFC 9110 §5): what Posthorn, HTTP or CloudEvents mean is theirs. */

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Visible ASCII, with spaces and tabs between. */
const fieldValue = /^[\x21-\x7e]([\t\x20-\x7e]*[\x21-\x7e])?$/;

const reservedNames: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'content-type',
  'content-encoding',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'upgrade',
  'te',
  'trailer',
  'expect',
  'user-agent',
  'proxy-authorization',
  'proxy-connection',
]);
const reservedPrefixes = ['webhook-', 'ce-', 'posthorn-'];

export const customHeaderBounds = { count: 20, nameLength: 100, valueLength: 2_000, bytes: 8_192 } as const;

/** @returns what is wrong with a header's name, as half a sentence for its author, or null. */
export function customHeaderNameFault(name: string): string | null {
  if (!token.test(name)) return 'must be a header name: letters, digits and -';
  if (name.length > customHeaderBounds.nameLength) return `is longer than ${customHeaderBounds.nameLength} characters`;
  const lower = name.toLowerCase();
  if (reservedNames.has(lower) || reservedPrefixes.some((prefix) => lower.startsWith(prefix)))
    return 'is set by Posthorn, and cannot be changed';
  return null;
}

/** @returns what is wrong with a header's value, or null. */
export function customHeaderValueFault(value: string): string | null {
  if (value.length > customHeaderBounds.valueLength)
    return `is longer than ${customHeaderBounds.valueLength} characters`;
  return value === '' || fieldValue.test(value)
    ? null
    : 'must be printable ASCII, without line breaks, not beginning or ending with a space';
}
