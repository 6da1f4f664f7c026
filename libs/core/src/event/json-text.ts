import type { JsonValue } from './cloud-event.js';

export type ParsedJson =
  { readonly ok: true; readonly value: JsonValue } | { readonly ok: false; readonly detail: string };

/** Text of UTF-8 bytes; null if they are not valid UTF-8. Checks bytes only where a replacement character hints at it. */
export function utf8Text(bytes: Buffer): string | null {
  const text = bytes.toString('utf8');
  return text.includes('\ufffd') && !Buffer.from(text, 'utf8').equals(bytes) ? null : text;
}

/** Parses a JSON text in UTF-8. */
export function parseJson(bytes: Buffer): ParsedJson {
  const text = utf8Text(bytes);
  if (text === null) return { ok: false, detail: 'not valid UTF-8' };
  try {
    return { ok: true, value: JSON.parse(text) as JsonValue };
  } catch (error) {
    return { ok: false, detail: `not valid JSON: ${error instanceof Error ? error.message : String(error)}` };
  }
}

export function isJsonObject(value: JsonValue): value is { readonly [name: string]: JsonValue } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
