import type { Delivery } from '#libs/contracts';
import type { Harness } from './dispatcher-harness.js';

/** Source offsets of deliveries, in the order of the log. */
export const offsetsOf = (deliveries: readonly Delivery[]): number[] =>
  deliveries.map(({ sourceOffset }) => sourceOffset);

export const upTo = (end: number): number[] => Array.from({ length: end }, (_, offset) => offset);

/** What was sent to an endpoint. */
export const sentTo = (posthorn: Harness, endpointId: string): ReturnType<Harness['deliveries']> =>
  posthorn.deliveries().filter((one) => one.endpointId === endpointId);
