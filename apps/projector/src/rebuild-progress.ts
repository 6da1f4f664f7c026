import { left, sum, type Part } from './rebuild-parts.js';

interface ProgressPorts {
  readonly report: (line: string) => void;
  /** Monotonic ms. */
  readonly monotonic: () => number;
}

const reportEveryMs = 5_000;

/** Says now and then how far it is. */
export class Progress {
  readonly #parts: readonly Part[];
  readonly #ports: ProgressPorts;
  readonly #from: number;
  readonly #since: number;
  #told: number;

  constructor(parts: readonly Part[], ports: ProgressPorts) {
    this.#parts = parts;
    this.#ports = ports;
    this.#from = sum(parts);
    this.#since = this.#told = ports.monotonic();
  }

  tell(): void {
    const now = this.#ports.monotonic();
    if (now - this.#told < reportEveryMs) return;
    this.#told = now;
    const done = sum(this.#parts);
    const all = done + left(this.#parts);
    const perSecond = Math.round(((done - this.#from) * 1_000) / (now - this.#since));
    this.#ports.report(`${done} of ${all} records (${Math.floor((done * 100) / all)} %), ${perSecond}/s`);
  }
}
