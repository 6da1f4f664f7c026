import type { ProcessUsage } from '../process-usage.js';

export interface LimitTask {
  readonly url: string;
  readonly body: string;
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** Requests on their way at once; each has a connection of its own. */
  readonly inFlight: number;
}

export interface LimitResult {
  readonly type: 'result';
  readonly perSecond: number;
  readonly usage: ProcessUsage;
}
