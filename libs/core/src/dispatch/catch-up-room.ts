/** What is known of an endpoint's load: what its worker told last, and what was sent beyond what that worker had read. */
export interface EndpointLoad {
  readonly outstanding: number;
  readonly unread: number;
  /** Of that, what was sent within the present slice of `paceMs`. */
  readonly lately: number;
}

/** Room that a worker's word opens is not used at once: it would work on nothing else for as long as that takes. */
export const paceMs = 50;
/** As much in a second as a worker, which tells how things stand every second, makes room for. */
const perSlice = 50;

/** Outstanding up to which a catch-up sends at full speed: about what a lane holds in memory. */
const comfortable = 1_000;
/** Beyond it nothing more is sent: half of what freezes an endpoint. */
const most = 5_000;
/** Between them: what waits may be old retries, which are no reason to keep back what is new. */
const trickle = 100;

/** How many deliveries a catch-up or replay may send to an endpoint now. */
export function catchUpRoom({ outstanding, unread, lately }: EndpointLoad): number {
  return Math.max(0, Math.min(roomOf(outstanding, unread), perSlice - lately));
}

function roomOf(outstanding: number, unread: number): number {
  const load = outstanding + unread;
  if (load < comfortable) return comfortable - load;
  return unread === 0 && outstanding < most ? trickle : 0;
}
