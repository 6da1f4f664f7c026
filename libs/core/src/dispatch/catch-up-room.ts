/** What is known of an endpoint's load: what its worker told last, and what was sent beyond what that worker had read. */
export interface EndpointLoad {
  readonly outstanding: number;
  readonly unread: number;
  /** Of that, what was sent within the present slice of `paceMs`. */
  readonly lately: number;
  /**
   * Deliveries that its lane holds in memory. What is beyond spills over the retry topics, and an endpoint that wants order
   * then waits for each piece of it as long as those take.
   */
  readonly lane: number;
}

/** Room that a worker's word opens is not used at once: it would work on nothing else for as long as that takes. */
export const paceMs = 50;
/** As much in a second as a worker, which tells how things stand every second, makes room for. */
const perSlice = 50;

/** Beyond it nothing more is sent: half of what freezes an endpoint. */
const most = 5_000;
/** Between it and what a lane holds: what waits may be old retries, which are no reason to keep back what is new. */
const trickle = 100;

/**
 * How many deliveries a catch-up or replay may send to an endpoint now.
 * @param paced false: at once, whatever was sent within this slice, because something waits for it
 */
export function catchUpRoom(load: EndpointLoad, paced = true): number {
  const room = roomOf(load);
  return paced ? Math.max(0, Math.min(room, perSlice - load.lately)) : room;
}

/** Whether an endpoint that has no room now is about to have some: as soon as its worker has read what was sent. */
export const keepsUp = (load: EndpointLoad): boolean => load.outstanding < comfortable(load);

/** Outstanding up to which is sent at full speed. */
const comfortable = ({ lane }: EndpointLoad): number => Math.min(lane, most);

function roomOf(given: EndpointLoad): number {
  const { outstanding, unread } = given;
  const load = outstanding + unread;
  if (load < comfortable(given)) return comfortable(given) - load;
  return unread === 0 && outstanding < most ? Math.min(trickle, comfortable(given)) : 0;
}
