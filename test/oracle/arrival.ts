import type { Receipt } from './delivery-oracle.js';

/** A request as its receiver recorded it, with what it was about. */
export interface Arrival extends Receipt {
  readonly eventId: string;
  readonly eventSource: string;
  /** When its body was complete: Unix time in milliseconds. */
  readonly at: number;
}

export const wasAccepted = ({ status }: Pick<Arrival, 'status'>): boolean => status >= 200 && status < 300;
