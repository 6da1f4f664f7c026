const idMark = Buffer.from('"id":"');
/** Of each event of a batch; `id` stands in its data too. */
const eventMark = Buffer.from('{"specversion":');
const quote = 0x22;
const bracket = 0x5b;

export const isBatch = (body: Buffer): boolean => body[0] === bracket;

/** Ids of the CloudEvents of a body, structured or batched, as Posthorn writes them: `id` stands near the beginning of each. */
export function eventIdsOf(body: Buffer): readonly string[] {
  if (!isBatch(body)) return [idAfter(body, 0)];
  const ids: string[] = [];
  for (let at = body.indexOf(eventMark); at !== -1; at = body.indexOf(eventMark, at + eventMark.length))
    ids.push(idAfter(body, at));
  return ids;
}

function idAfter(body: Buffer, at: number): string {
  const from = body.indexOf(idMark, at) + idMark.length;
  return body.toString('latin1', from, body.indexOf(quote, from));
}
