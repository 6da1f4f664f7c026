/**
 * The beginning of a text that must leave room in a record: no character is cut in two.
 * @param mostBytes of it in UTF-8
 */
export function textWithin(text: string, mostBytes: number): string {
  if (3 * text.length <= mostBytes) return text;
  // A character has a byte at least.
  const beginning = text.slice(0, mostBytes);
  const bytes = Buffer.from(beginning, 'utf8');
  if (bytes.length <= mostBytes) return beginning;
  let end = mostBytes;
  // 10xxxxxx goes on with a character that began before.
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.toString('utf8', 0, end);
}
