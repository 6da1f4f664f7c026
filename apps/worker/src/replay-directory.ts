import type { ReplayConfig } from '#libs/contracts';
import { rateLimitFaults, type RateLimitConfig } from '#libs/core';
import type { LogRecord } from '#libs/kafka';
import type { PlatformCodecs } from '#libs/schema-codec';

export interface ReplayDirectoryPorts {
  readonly codecs: Pick<PlatformCodecs, 'replayConfig'>;
  readonly log: { error(details: object, message: string): void };
}

/** What lanes go by. The same object as long as nothing changes. */
export interface Replay {
  readonly state: ReplayConfig['state'];
  /** At each endpoint, beside its own; null: none. */
  readonly rateLimit: RateLimitConfig | null;
}

/** Its record cannot be read: neither to send without its rate nor to drop would be right. */
const unusable: Replay = { state: 'paused', rateLimit: null };

/**
 * Replays that have not come to their end, by their stream (`replay:<uuid>`); read with the endpoints.
 *
 * What is not known is sent as usual: a delivery is only looked at once the topic was read up to the version that it was
 * made with, so a replay that is not known by then has ended, and what is still outstanding of it (retries of days) is
 * wanted. A cancelled one therefore keeps its record until all of it has its final outcome.
 */
export class ReplayDirectory {
  readonly #ports: ReplayDirectoryPorts;
  readonly #replays = new Map<string, Replay>();

  constructor(ports: ReplayDirectoryPorts) {
    this.#ports = ports;
  }

  /** Undefined for any other stream too. */
  get(stream: string): Replay | undefined {
    return this.#replays.get(stream);
  }

  apply(replayId: string, { value, offset }: Pick<LogRecord, 'value' | 'offset'>): void {
    if (value === null) this.#replays.delete(replayId);
    else this.#replays.set(replayId, this.#decoded(replayId, offset, value));
  }

  #decoded(replayId: string, version: number, value: Buffer): Replay {
    try {
      const { state, rateLimit } = this.#ports.codecs.replayConfig.decode(value);
      const [fault] = rateLimit === null ? [] : rateLimitFaults(rateLimit);
      if (fault !== undefined) throw new RangeError(fault);
      return { state, rateLimit };
    } catch (error) {
      this.#ports.log.error({ replayId, version, err: error }, 'a replay cannot be used: its deliveries wait');
      return unusable;
    }
  }
}
