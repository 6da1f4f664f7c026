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
export function madeEvents(
  records: readonly ReadRecord[],
  endpointsOf: (nth: number) => readonly DispatchEndpoint[],
  ports: FormPorts,
): Promise<readonly (MadeEvent | null)[]> {
  return Promise.all(
    records.map(async (read, nth): Promise<MadeEvent | null> => {
      if (read.kind === 'rejected') return null;
      const forms = new EventForms(read, ports);
      const passed = await settleForms(forms, endpointsOf(nth));
      const given = passed.flatMap((endpoint) => {
        const form = forms.form(endpoint);
        return form.kind === 'cancelled' ? [] : [{ endpoint, form }];
      });
      return { event: prepareEvent(read), given };
    }),
  );
}
