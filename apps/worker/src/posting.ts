import type { PostResult } from '#libs/core';
import { signedPost, type Post } from './attempt.js';
import type { Clock } from './clock.js';
import type { EndpointDirectory, ReadyEndpoint } from './endpoint-directory.js';
import type { Lane } from './lane.js';
import type { Start } from './lanes.js';
import type { Outcomes } from './outcomes.js';
import type { Entry } from './owned-partition.js';

/** Sends a POST; never rejects. */
export interface Http {
  post(request: Post): Promise<PostResult>;
}

export interface PostingPorts {
  readonly http: Http;
  readonly clock: Clock;
  readonly directory: EndpointDirectory;
  readonly outcomes: Outcomes;
  readonly log: { warn(details: object, message: string): void };
  /** Its time has not come after all. */
  putBack(entry: Entry, dueAt: number): void;
  /** The answer is there, and what follows from it is on its way. */
  landed(lane: Lane<Entry>, success: boolean): void;
}

/** Starts a delivery whose turn has come: looks at its endpoint as it is now, signs, POSTs. */
export class Posting {
  readonly #ports: PostingPorts;

  constructor(ports: PostingPorts) {
    this.#ports = ports;
  }

  start(entry: Entry, lane: Lane<Entry>): Start {
    const { clock, directory, outcomes, log } = this.#ports;
    const { endpointId, configVersion, dueAt } = entry.delivery;
    const now = clock.now();
    if (dueAt !== null && dueAt > now) {
      // The wall clock was set back: dueAt alone permits a send.
      this.#ports.putBack(entry, dueAt);
      return 'diverted';
    }
    const found = directory.lookup(endpointId, configVersion);
    switch (found.kind) {
      case 'unread':
        log.warn({ endpointId, configVersion }, 'its configuration is not read yet: the lane waits');
        return 'unread';
      case 'deleted':
        outcomes.drop(entry);
        return 'diverted';
      case 'waiting':
        outcomes.putOff(entry);
        return 'diverted';
      case 'ready':
        return this.#post(entry, lane, found.endpoint, now);
    }
  }

  #post(entry: Entry, lane: Lane<Entry>, endpoint: ReadyEndpoint, now: number): Start {
    const { directory, outcomes, http } = this.#ports;
    const { delivery } = entry;
    if (delivery.body === null) {
      outcomes.undeliverable(entry, 'transformation', delivery.renderError ?? 'there is no body');
      return 'diverted';
    }
    const keys = directory.signingKeysOf(delivery.endpointId, now);
    if (keys.length === 0) {
      outcomes.undeliverable(entry, 'undeliverable', 'no secret is in force');
      return 'diverted';
    }
    const post = signedPost(entry, endpoint, keys, now);
    void http.post(post).then((result) => {
      // The answer to a POST for a partition that was lost meanwhile is the next owner's affair.
      if (entry.partition.alive) outcomes.answered(entry, { endpoint, post, startedAt: now }, result);
      this.#ports.landed(lane, result.kind === 'response' && result.status >= 200 && result.status < 300);
    });
    return 'posted';
  }
}
