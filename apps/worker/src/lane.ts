import { LaneQueue, type LaneQueueBounds } from '#libs/core';
import { Flow } from './flow.js';

/** An endpoint's work in this worker: what waits, and how much of it is on its way. */
export class Lane<T> {
  readonly queue: LaneQueue<T>;
  readonly flow: Flow;
  /** POSTs without an answer yet. */
  inFlight = 0;
  /** Taken from the queue, and what follows from it not acknowledged by the log yet; POSTs in flight included. */
  outstanding = 0;
  /** Waits for its turn (see Lanes). */
  inTurn = false;
  /** Its head was made with a configuration that was not read yet. */
  held = false;

  constructor(
    readonly endpointId: string,
    /** Of `deliveries`: an endpoint lies in one. */
    readonly partition: number,
    bounds: LaneQueueBounds,
    now: number,
  ) {
    this.flow = new Flow(now);
    this.queue = new LaneQueue(bounds);
  }

  /**
   * Whether its head may be started. What is not acknowledged is bounded too: after a kill it would all be sent again.
   * @param maxInFlight of the endpoint
   */
  canStart(maxInFlight: number): boolean {
    return !this.held && this.queue.size > 0 && this.inFlight < maxInFlight && this.outstanding < maxInFlight * 4 + 64;
  }

  get isIdle(): boolean {
    return this.queue.size === 0 && this.outstanding === 0;
  }
}
