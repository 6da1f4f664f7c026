import { firstCopy, type Delivery } from '#libs/contracts';
import {
  batchBodyType,
  batchIdOf,
  contentOf,
  hasAttributeHeaders,
  renderEvent,
  testHeader,
  testStreamOf,
  webhookIdOf,
  type RenderedEvent,
} from '#libs/core';
import { filterOf } from '#libs/filters';
import type { Endpoint } from '#libs/persistence';
import { failureText, sandboxInput, transformedEvent, type SandboxInput, type SandboxResult } from '#libs/sandbox';
import type { TestEvent } from './test-event.js';

/** What is to be POSTed, or why nothing can be, in the words of dispatchers; `cancelled` by the endpoint's transformation. */
export type TestForm =
  | { readonly kind: 'rendered'; readonly rendered: RenderedEvent }
  | { readonly kind: 'failed'; readonly renderKind: 'transformation' | 'version'; readonly detail: string }
  | { readonly kind: 'cancelled' };

/** Runs the endpoint's transformation; null: there is none of this id. */
export type Transform = (transformationId: string, input: SandboxInput) => Promise<SandboxResult | null>;

/** The event in the form that the endpoint gets it in, as a dispatcher makes it. */
export async function testFormOf(
  endpoint: Endpoint,
  { attributes, data }: TestEvent,
  now: number,
  transform: Transform,
): Promise<TestForm> {
  const { format, transformationId, fault } = contentOf(endpoint, filterOf);
  if (fault !== null) return { kind: 'failed', renderKind: 'version', detail: fault };
  if (!data.ok) return { kind: 'failed', renderKind: 'version', detail: data.detail };
  const rendered = renderEvent(format, attributes, JSON.stringify(data.json), now);
  if (transformationId === null) return { kind: 'rendered', rendered };
  const result = await transform(transformationId, sandboxInput({ attributes, acceptedAt: now }, rendered));
  if (result === null) return failed(`there is no transformation ${transformationId}`);
  if (result.kind === 'failed') return failed(failureText(result));
  return result.cancelled ? { kind: 'cancelled' } : { kind: 'rendered', rendered: transformedEvent(rendered, result) };
}

const failed = (detail: string): TestForm => ({ kind: 'failed', renderKind: 'transformation', detail });

/** Whether the endpoint's filters let such an event through. One that cannot be asked keeps nothing back. */
export function passesFilters(endpoint: Endpoint, { attributes, data }: TestEvent): boolean {
  const { filter } = contentOf(endpoint, filterOf);
  return filter === null || !data.ok || filter.matches({ attributes, data: data.json }).match;
}

interface Making {
  readonly testId: string;
  /** Offset of a record of posthorn.endpoints behind which the endpoint's own stands. */
  readonly configVersion: number;
  /** Unix milliseconds. */
  readonly now: number;
}

/** The delivery of a test (DESIGN §5): a stream of its own, of no order, in no dedupe space. */
export function testDelivery(
  { endpointId, tenantId, batch }: Pick<Endpoint, 'endpointId' | 'tenantId' | 'batch'>,
  { attributes: { id, source, type } }: TestEvent,
  form: Exclude<TestForm, { kind: 'cancelled' }>,
  { testId, configVersion, now }: Making,
): Delivery {
  const single = webhookIdOf(endpointId, source, id);
  const request = form.kind === 'rendered' ? requestOf(form.rendered, single, batch !== null) : unmade(form, single);
  return {
    tenantId,
    endpointId,
    ...request,
    headers: { ...request.headers, [testHeader]: 'true' },
    stream: testStreamOf(testId),
    incarnation: 0,
    sourcePartition: 0,
    sourceOffset: 0,
    floor: 0,
    space: '',
    configVersion,
    ordering: 'none',
    orderingKey: null,
    eventId: id,
    eventSource: source,
    eventType: type,
    acceptedAt: now,
    dispatchedAt: now,
    ...firstCopy,
    members: null,
  };
}

type Request = Pick<Delivery, 'webhookId' | 'contentType' | 'headers' | 'body' | 'renderError' | 'renderKind'>;

const made = { renderError: null, renderKind: null };

/** Where the endpoint has batches, as a batch of one: workers send a test at once, and gather nothing around it. */
function requestOf({ contentType, headers, body }: RenderedEvent, webhookId: string, hasBatches: boolean): Request {
  const batchType = hasBatches && !hasAttributeHeaders(headers) ? batchBodyType(contentType) : null;
  if (batchType === null) return { webhookId, contentType, headers, body, ...made };
  const array = Buffer.concat([Buffer.from('['), body, Buffer.from(']')]);
  return { webhookId: batchIdOf([webhookId]), contentType: batchType, headers, body: array, ...made };
}

const unmade = ({ detail, renderKind }: TestForm & { kind: 'failed' }, webhookId: string): Request => ({
  webhookId,
  contentType: '',
  headers: {},
  body: null,
  renderError: detail,
  renderKind,
});
