import { filterOf } from '#libs/filters';
import type { DispatcherContent } from '../src/dispatcher.js';
import type { EndpointFault, FaultStore } from '../src/forms/endpoint-faults.js';

/** Filters are real; there are no transformations. */
export const plainContents: DispatcherContent = {
  filterOf,
  runner: {
    run: () => Promise.reject(new Error('there is no sandbox here')),
    room: () => Promise.resolve(),
    forget: () => undefined,
  },
};

/** Takes what is counted, and forgets it. */
export const noFaults: FaultStore = { addFaults: () => Promise.resolve() };

/** Keeps what is counted. */
export class NotedFaults implements FaultStore {
  readonly noted: EndpointFault[] = [];

  addFaults(faults: readonly EndpointFault[]): Promise<void> {
    this.noted.push(...faults);
    return Promise.resolve();
  }
}
