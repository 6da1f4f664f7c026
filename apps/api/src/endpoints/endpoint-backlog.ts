import { awaitsVerification } from '#libs/core';
import type { CursorReason, CursorRecord, Cursors, Endpoint, EndpointRepository } from '#libs/persistence';
import { checkId, dateTime } from '../http/list-query.js';
import { notFound } from '../problem/app-error.js';
import type { SourceLog } from './source-log.js';

/**
 * `live`: it gets events as they come. `pausing`: it is paused, disabled or not verified, but not every partition has taken
 * note; what it is still sent waits. `unverified`: it is active, and waits for its verification alone. `frozen`: it had too much outstanding or failed for too long, and has not begun to catch up.
 */
export type BacklogState = 'live' | 'pausing' | 'paused' | 'unverified' | 'disabled' | 'frozen' | 'catching-up';

export interface BacklogAnswer {
  readonly state: BacklogState;
  /** The partitions of posthorn.events that it does not follow live. */
  readonly partitions: readonly {
    readonly partition: number;
    /** Of the first event that it was not sent yet. */
    readonly position: number;
    readonly end: number;
    /** Events in between, whoever they are for. */
    readonly behind: number;
    readonly reason: CursorReason;
    readonly since: string;
    readonly run: string;
  }[];
}

export interface BacklogPorts {
  readonly endpoints: Pick<EndpointRepository, 'get'>;
  readonly cursors: Pick<Cursors, 'ofEndpoint'>;
  readonly source: Pick<SourceLog, 'ends' | 'partitions'>;
}

/** What waits for an endpoint in the log of events, and why. */
export class EndpointBacklog {
  constructor(private readonly ports: BacklogPorts) {}

  async get(endpointId: string): Promise<BacklogAnswer> {
    const { endpoints, cursors, source } = this.ports;
    const endpoint = await endpoints.get(checkId('endpoint', endpointId));
    if (endpoint === null) throw notFound('endpoint', endpointId);
    const inForce = await cursors.ofEndpoint(endpointId);
    // Read after the positions, so that none lies beyond the end.
    const ends = inForce.length === 0 ? [] : await source.ends();
    return {
      state: stateOf(reasonOf(endpoint), inForce, source.partitions),
      partitions: inForce.map(({ partition, position, reason, createdAt, run }) => {
        const end = ends[partition] ?? position;
        const behind = Math.max(0, end - position);
        return { partition, position, end, behind, reason, since: dateTime(createdAt), run };
      }),
    };
  }
}

const reasonOf = ({ state, verification }: Endpoint): Endpoint['state'] | 'unverified' =>
  state === 'active' && awaitsVerification(verification) ? 'unverified' : state;

/** @param inForce the endpoint's cursors; `partitions`: how many there are of the source */
export function stateOf(
  state: Endpoint['state'] | 'unverified',
  inForce: readonly Pick<CursorRecord, 'reason' | 'position' | 'startedAt'>[],
  partitions: number,
): BacklogState {
  if (state !== 'active') return inForce.length < partitions ? 'pausing' : state;
  if (inForce.length === 0) return 'live';
  // Whether its circuit has closed, or there is room, only workers and dispatchers know: the first step shows it.
  const waits = inForce.every(
    ({ reason, position, startedAt }) => (reason === 'overflow' || reason === 'circuit') && position === startedAt,
  );
  return waits ? 'frozen' : 'catching-up';
}
