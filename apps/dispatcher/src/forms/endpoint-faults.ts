import { messageOf, type Surroundings } from '../surroundings.js';

/** What goes wrong with what a customer has set: a filter that fails, a transformation that does, or cancels. */
export type FaultKind = 'filter' | 'transformation' | 'cancelled';

export interface EndpointFault {
  readonly endpointId: string;
  readonly kind: FaultKind;
  readonly count: number;
  /** Unix milliseconds. */
  readonly lastAt: number;
  readonly lastDetail: string;
}

export interface FaultCounter {
  count(endpointId: string, kind: FaultKind, detail: string): void;
}

export interface FaultStore {
  /** Adds to what is there. */
  addFaults(faults: readonly EndpointFault[]): Promise<void>;
}

export interface FaultPorts {
  readonly store: FaultStore;
  /** Of metrics. */
  counted(kind: FaultKind): void;
  readonly around: Surroundings;
}

const flushMs = 5_000;
/** Beyond it those of further endpoints are only counted in the metrics until the next flush. */
const mostEndpoints = 10_000;
const detailLength = 500;

/**
 * Counts what endpoints do wrong, for the people who own them. Not exactly: a crash forgets what was not written yet, and
 * events that are dispatched again count again. Nothing waits for it.
 */
export class EndpointFaults implements FaultCounter {
  readonly #ports: FaultPorts;
  #counted = new Map<string, EndpointFault>();
  #callOff: (() => void) | null = null;
  #writing = false;
  #closed = false;

  constructor(ports: FaultPorts) {
    this.#ports = ports;
  }

  count(endpointId: string, kind: FaultKind, detail: string): void {
    const { around } = this.#ports;
    this.#ports.counted(kind);
    const key = `${kind} ${endpointId}`;
    const before = this.#counted.get(key);
    if (before === undefined && this.#counted.size >= mostEndpoints) return;
    const lastDetail = before?.lastDetail === detail ? detail : detail.slice(0, detailLength);
    this.#counted.set(key, { endpointId, kind, count: (before?.count ?? 0) + 1, lastAt: around.now(), lastDetail });
    this.#arm();
  }

  /** Writes what is left, if the database answers. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#callOff?.();
    await this.#flush();
  }

  #arm(): void {
    if (this.#closed || this.#writing) return;
    this.#callOff ??= this.#ports.around.schedule(flushMs, () => {
      this.#callOff = null;
      void this.#flush();
    });
  }

  /** Each kind in one line, however many endpoints it concerns. */
  #tell(faults: readonly EndpointFault[]): void {
    for (const [kind, of] of Map.groupBy(faults, (fault) => fault.kind)) {
      if (kind === 'cancelled') continue;
      const count = of.reduce((sum, fault) => sum + fault.count, 0);
      const [example] = of.toSorted((a, b) => b.count - a.count);
      const { endpointId, lastDetail } = example ?? { endpointId: '', lastDetail: '' };
      this.#ports.around.log.warn(
        { kind, count, endpoints: of.length, endpointId, lastDetail },
        'endpoints have faults',
      );
    }
  }

  async #flush(): Promise<void> {
    const faults = [...this.#counted.values()];
    if (faults.length === 0 || this.#writing) return;
    this.#counted = new Map();
    this.#tell(faults);
    this.#writing = true;
    try {
      await this.#ports.store.addFaults(faults);
    } catch (error) {
      this.#ports.around.log.warn(
        { reason: messageOf(error), lost: faults.length },
        'faults of endpoints were not noted',
      );
    } finally {
      this.#writing = false;
      if (this.#counted.size > 0) this.#arm();
    }
  }
}
