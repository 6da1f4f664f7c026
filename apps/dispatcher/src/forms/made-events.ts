import type { DispatchEndpoint } from '../dispatch-endpoint.js';
import { prepareEvent, type PreparedEvent } from '../new-delivery.js';
import type { ReadRecord } from '../read-events.js';
import { EventForms, settleForms, type FormPorts } from './event-forms.js';
import type { Form } from './form.js';

/** What is to be sent of an event, and to whom. */
export interface MadeEvent {
  readonly event: PreparedEvent;
  readonly given: readonly {
    readonly endpoint: DispatchEndpoint;
    readonly form: Exclude<Form, { readonly kind: 'cancelled' }>;
  }[];
}

/**
 * Makes what catch-ups and replays send: for each record, in order, what those of `endpointsOf` get whose filters let it
 * through. Null: nobody, it was rejected when it came. Rejects while the registry is away.
 */
export async function madeEvents(
  records: readonly ReadRecord[],
  endpointsOf: (nth: number) => readonly DispatchEndpoint[],
  ports: FormPorts,
): Promise<readonly (MadeEvent | null)[]> {
  const made: (MadeEvent | null)[] = [];
  let running: Promise<MadeEvent | null>[] = [];
  let transformations = 0;
  for (const [nth, read] of records.entries()) {
    const endpoints = read.kind === 'rejected' ? [] : endpointsOf(nth);
    running.push(read.kind === 'rejected' ? Promise.resolve(null) : madeEvent(read, endpoints, ports));
    transformations += transformationsAmong(endpoints);
    if (transformations < mostTransformations) continue;
    made.push(...(await Promise.all(running)));
    running = [];
    transformations = 0;
  }
  return [...made, ...(await Promise.all(running))];
}

/** So many run at once, and what they make is in memory together: live dispatch, catch-ups and replays keep to it alike. */
export const mostTransformations = 64;

export const transformationsAmong = (endpoints: readonly DispatchEndpoint[]): number =>
  endpoints.filter(({ content }) => content.transformationId !== null).length;

async function madeEvent(
  read: Extract<ReadRecord, { kind: 'event' }>,
  endpoints: readonly DispatchEndpoint[],
  ports: FormPorts,
): Promise<MadeEvent> {
  const forms = new EventForms(read, ports);
  const given: MadeEvent['given'][number][] = [];
  for (const part of partsOf(endpoints)) {
    for (const endpoint of await settleForms(forms, part)) {
      const form = forms.form(endpoint);
      if (form.kind !== 'cancelled') given.push({ endpoint, form });
    }
  }
  return { event: prepareEvent(read), given };
}

/** All of them, or, where they have many transformations, so many at a time. At least one part. */
export function* partsOf(
  endpoints: readonly DispatchEndpoint[],
): Generator<readonly DispatchEndpoint[], void, undefined> {
  let from = 0;
  let transformations = 0;
  for (const [nth, { content }] of endpoints.entries()) {
    if (content.transformationId === null) continue;
    if (transformations === mostTransformations) {
      yield endpoints.slice(from, nth);
      from = nth;
      transformations = 0;
    }
    transformations += 1;
  }
  yield from === 0 ? endpoints : endpoints.slice(from);
}
