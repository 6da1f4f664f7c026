import type { SandboxLimits } from './sandbox-job.js';

/** RFC 9110, §5.6.2. */
const token = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
/** RFC 9110, §5.5, without what is beyond ASCII; no space at its ends. */
const fieldValue = /^(?:[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?)?$/;

/** The worker's own, those that Standard Webhooks signs, and those of the connection (RFC 9110, §7.6.1). */
const reserved = new Set([
  'host',
  'content-length',
  'content-encoding',
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
  'date',
]);
const reservedPrefixes = ['webhook-', 'proxy-', 'posthorn-'];

export type CheckedHeaders =
  | { readonly kind: 'fit'; readonly headers: Readonly<Record<string, string>> }
  | { readonly kind: 'unfit'; readonly reason: string }
  | { readonly kind: 'too-many'; readonly reason: string };

/** What a handler wants as headers of its request, with names in lower case. Nothing that it names can end a header line. */
export function checkHeaders(
  given: readonly (readonly [name: string, value: string])[],
  limits: Pick<SandboxLimits, 'headerCount' | 'headerBytes'>,
): CheckedHeaders {
  const headers = new Map<string, string>();
  let bytes = 0;
  for (const [said, value] of given) {
    const name = said.toLowerCase();
    const shown = JSON.stringify(said.slice(0, 60));
    if (!token.test(name)) return unfit(`${shown} cannot be the name of a header`);
    if (reserved.has(name) || reservedPrefixes.some((prefix) => name.startsWith(prefix))) {
      return unfit(`the header ${shown} is set by Posthorn and cannot be changed`);
    }
    if (headers.has(name)) return unfit(`the header ${shown} is there twice`);
    if (!fieldValue.test(value)) {
      return unfit(`the value of the header ${shown} must be printable ASCII, with no space at its ends`);
    }
    headers.set(name, value);
    bytes += name.length + value.length;
  }
  if (headers.size > limits.headerCount) return tooMany(`there are more than ${limits.headerCount} headers`);
  if (bytes > limits.headerBytes) return tooMany(`the headers are longer than ${limits.headerBytes} bytes`);
  return { kind: 'fit', headers: Object.fromEntries(headers) };
}

const unfit = (reason: string): CheckedHeaders => ({ kind: 'unfit', reason });
const tooMany = (reason: string): CheckedHeaders => ({ kind: 'too-many', reason });
