/**
 * Reads: replays of which all was sent, and what the projection holds of their deliveries.
 * Writes: that they have ended (`Replays.finishEnded`), of which the outbox makes tombstones in posthorn.endpoints.
 * Guarantees: an end is noticed by any api process, whether anybody asks for the replay or not; once noticed it stays.
 * On a crash: another process, or the next look, finds the same. Test: end-replays.spec.ts, replays.int-spec.ts.
 */
import type { BeforeApplicationShutdown, OnApplicationBootstrap } from '@nestjs/common';
import type { Replays } from '#libs/persistence';
import type { Publication } from '../outbox/publish-outbox.js';

export interface EndReplayPorts {
  readonly replays: Pick<Replays, 'finishEnded'>;
  readonly publication: Publication;
  readonly schedule: (ms: number, run: () => void) => () => void;
  readonly now: () => number;
  /** Milliseconds of a monotonic clock. */
  readonly monotonic: () => number;
  readonly log: { warn(details: object, message: string): void };
}

/** Counting the deliveries of a large replay takes a while: then it is done the more rarely. */
const restPerWork = 20;

export class EndReplays implements OnApplicationBootstrap, BeforeApplicationShutdown {
  #stopped = false;
  #cancel: () => void = () => undefined;
  #look: Promise<void> = Promise.resolve();

  constructor(
    private readonly ports: EndReplayPorts,
    private readonly pollMs: number,
  ) {}

  onApplicationBootstrap(): void {
    this.#next(this.pollMs);
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    await this.#look;
  }

  #next(ms: number): void {
    if (this.#stopped) return;
    this.#cancel = this.ports.schedule(ms, () => {
      this.#look = this.#run();
    });
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    const { replays, publication, now, monotonic, log } = this.ports;
    const started = monotonic();
    try {
      if ((await replays.finishEnded(now())) > 0) await publication.published();
    } catch (error) {
      log.warn({ err: error }, 'whether replays have ended cannot be told yet; trying again');
    }
    this.#next(Math.max(this.pollMs, (monotonic() - started) * restPerWork));
  }
}
