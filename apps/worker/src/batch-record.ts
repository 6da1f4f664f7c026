import type { Delivery } from '#libs/contracts';
import {
  batchBodyType,
  batchIdOf,
  deliveryIdOf,
  hasAttributeHeaders,
  isTestStream,
  type WriterEpoch,
} from '#libs/core';

/**
 * A batch as it stands in a retry topic (docs/delivery-state.md, Batches): a Delivery with `members` in place of a body. A
 * member whose outcome is durable stays in it, since what was POSTed once is POSTed whole, but has no `pos` any more.
 */

/** Id of the ledger's entry that a copy belongs to. A delivery is in one batch at most, so its first one names a batch. */
export const entryIdOf = (delivery: Delivery): string =>
  delivery.members === null ? deliveryIdOf(delivery) : `batch:${deliveryIdOf(delivery)}`;

/** What of a delivery says whether it travels with others. */
export type Single = Pick<
  Delivery,
  'attempt' | 'members' | 'body' | 'renderError' | 'haltedAt' | 'contentType' | 'headers'
>;

/**
 * Whether a delivery can travel with others: what was sent alone before, and what cannot be sent, goes alone; so does an
 * event whose attributes are headers, which an array has no place for (CloudEvents HTTP binding §3.3).
 */
export const isBatchable = (delivery: Single, stream: string): boolean =>
  delivery.attempt === 0 &&
  delivery.members === null &&
  delivery.body !== null &&
  delivery.renderError === null &&
  delivery.haltedAt === null &&
  batchBodyType(delivery.contentType) !== null &&
  !hasAttributeHeaders(delivery.headers) &&
  !isTestStream(stream);

/** Whether one request has room for both: it has one media type, and each header once. */
export function haveEqualHeaders(one: Single, other: Single): boolean {
  if (one.contentType !== other.contentType) return false;
  let surplus = 0;
  for (const name in one.headers) {
    if (one.headers[name] !== other.headers[name]) return false;
    surplus += 1;
  }
  for (const _ in other.headers) surplus -= 1;
  return surplus === 0;
}

/**
 * The first copy of a batch, before its first POST. Its policy's total time is that of its oldest member.
 * @param members at least one, by ascending pos, each with its `pos`
 */
export function batchOf(members: readonly [Delivery, ...Delivery[]], hop: number, writer: WriterEpoch): Delivery {
  const [first] = members;
  return {
    ...first,
    webhookId: batchIdOf(members.map(({ webhookId }) => webhookId)),
    configVersion: Math.max(...members.map(({ configVersion }) => configVersion)),
    // Its members tell their own: an event of half a megabyte leaves little room around it.
    eventId: '',
    eventSource: '',
    eventType: '',
    orderingKey: null,
    scheduledSince: Math.min(...members.map((one) => one.scheduledSince ?? one.dispatchedAt)),
    contentType: batchBodyType(first.contentType) ?? first.contentType,
    // Its members have them: twice they would not fit beside an event that fills the record.
    headers: {},
    body: null,
    hop,
    writer,
    dueAt: null,
    members,
  };
}

/** Beside what every request has; of a batch, what all its members have. */
export const headersOf = ({ headers, members }: Pick<Delivery, 'headers' | 'members'>): Delivery['headers'] =>
  members?.[0]?.headers ?? headers;

const [opening, comma, closing] = ['[', ',', ']'].map((text) => Buffer.from(text)) as [Buffer, Buffer, Buffer];
const noBody = Buffer.alloc(0);

/** What is signed and POSTed: of a batch, its members' bodies as a JSON array. */
export function bodyOf({ body, members }: Pick<Delivery, 'body' | 'members'>): Buffer {
  if (members === null) return body ?? noBody;
  const parts = members.flatMap((member, place) => [place === 0 ? opening : comma, member.body ?? noBody]);
  return Buffer.concat([...parts, closing]);
}
