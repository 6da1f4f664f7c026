import type { CloudEvent, UpstreamService } from '../e2e/sample-events.js';

const everyMs = 100;

/** Appends events at an even pace until it is stopped; catches up when the broker was slow. */
export class PacedLoad {
  readonly sent: CloudEvent[] = [];
  #stopped = false;
  readonly #ended: Promise<void>;

  /** @param eventOf event number `n`, from 0 */
  constructor(
    private readonly upstream: UpstreamService,
    private readonly perSecond: number,
    private readonly eventOf: (n: number) => CloudEvent,
  ) {
    this.#ended = this.#run();
    // Awaited by `stop`; a broker that is gone must not count as an unhandled rejection before.
    this.#ended.catch(() => undefined);
  }

  /** Rejects when an append was refused. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#ended;
  }

  async #run(): Promise<void> {
    const from = performance.now();
    while (!this.#stopped) {
      const due = Math.floor(((performance.now() - from) / 1_000) * this.perSecond);
      const batch = Array.from({ length: due - this.sent.length }, (_, n) => this.eventOf(this.sent.length + n));
      if (batch.length > 0) await this.upstream.send(batch.map((event) => this.upstream.binaryJson(event)));
      this.sent.push(...batch);
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  }
}
