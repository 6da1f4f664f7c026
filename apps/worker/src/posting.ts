import { isTestStream, type PostResult } from '#libs/core';
import { signedPost, type Post } from './attempt.js';
import { isBatchable } from './batch-record.js';
import type { Batching } from './batching.js';
import type { Clock } from './clock.js';
import type { Copies } from './copies.js';
import { expiryOf, type EndpointDirectory, type ReadyEndpoint } from './endpoint-directory.js';
import type { Entry, OwnedPartition } from './owned-partition.js';
import type { Lane } from './lane.js';
import type { Start } from './lanes-ports.js';
import type { Outcomes } from './outcomes.js';

/** Sends a POST; never rejects. */
export interface Http {
  post(request: Post): Promise<PostResult>;
}

export interface PostingPorts {
  readonly http: Http;
  readonly clock: Clock;
  readonly directory: EndpointDirectory;
  readonly outcomes: Outcomes;
  readonly copies: Copies;
  readonly batching: Batching;
  readonly log: { warn(details: object, message: string): void };
  /** The lease. */
  readonly mayStart: () => boolean;
  /** Its time has not come after all. */
  putBack(entry: Entry, dueAt: number): void;
  /** It can neither be sent nor skipped: its partition must stop. */
  readonly stopped: (entry: Entry, error: Error) => void;
  /** A POST that was started goes out only now, `ms` later: an endpoint's rate is of what it sees. */
  readonly late: (lane: Lane<Entry>, entry: Entry, ms: number) => void;
  /** The answer is there, and what follows from it is on its way. */
  readonly landed: (lane: Lane<Entry>, entry: Entry, result: PostResult) => void;
}

/** A delivery that began so often without an outcome has ended its worker each time. */
const poisonous = 3;

const notMade: PostResult = { kind: 'error', error: { kind: 'aborted', message: 'it was not made' }, durationMs: 0 };

const unusable = 'the configuration of its endpoint cannot be used';

/** So long a worker waits for the configuration that a delivery was made with, before it says that there is none. */
const unreadMs = 60_000;

/** Starts a delivery whose turn has come: looks at its endpoint as it is now, signs, POSTs. */
export class Posting {
  readonly #ports: PostingPorts;
  /** Endpoints with a delivery that waits for its configuration. */
  readonly #watched = new Set<string>();

  constructor(ports: PostingPorts) {
    this.#ports = ports;
  }

  start(entry: Entry, lane: Lane<Entry>): Start {
    const { clock, directory, outcomes, copies, log } = this.#ports;
    const { endpointId, configVersion, dueAt } = entry.delivery;
    const now = clock.now();
    if (dueAt !== null && dueAt > now) {
      // The wall clock was set back: dueAt alone permits a send.
      this.#ports.putBack(entry, dueAt);
      return 'diverted';
    }
    const found = directory.lookup(entry.delivery);
    switch (found.kind) {
      case 'unread':
        log.warn({ endpointId, configVersion }, 'its configuration is not read yet: the lane waits');
        this.#watch(entry);
        return 'unread';
      case 'gone':
        outcomes.drop(entry);
        return 'diverted';
      case 'waiting':
        if (isTestStream(entry.stream)) outcomes.giveUp(entry, 'undeliverable', unusable);
        else copies.putOff(entry);
        return 'diverted';
      case 'ready':
        return this.#post(entry, lane, found.endpoint, now);
    }
  }

  /** An offset beyond that topic's end is an alarm (DESIGN §4): this log is not the one that the delivery was made in. */
  #watch(entry: Entry): void {
    const { delivery, partition } = entry;
    const { endpointId, configVersion } = delivery;
    if (this.#watched.has(endpointId)) return;
    this.#watched.add(endpointId);
    this.#ports.clock.schedule(unreadMs, () => {
      this.#watched.delete(endpointId);
      if (!partition.alive || this.#ports.directory.lookup(delivery).kind !== 'unread') return;
      this.#ports.stopped(entry, new RangeError(`there is no configuration ${configVersion} for ${endpointId}`));
    });
  }

  #post(entry: Entry, lane: Lane<Entry>, endpoint: ReadyEndpoint, now: number): Start {
    const { directory, outcomes, clock } = this.#ports;
    const { delivery, partition } = entry;
    // What a transformation failed on is kept in its body, to be replayed once that is mended; it is not what was wanted.
    if (delivery.renderError !== null || (delivery.body === null && delivery.members === null)) {
      outcomes.unrendered(entry);
      return 'diverted';
    }
    const keys = directory.signingKeysOf(delivery.endpointId, now);
    if (keys.length === 0) {
      outcomes.giveUp(entry, 'undeliverable', 'no secret is in force');
      return 'diverted';
    }
    const until = expiryOf(delivery, endpoint.config);
    if (until !== null && now > until) {
      outcomes.expire(entry, endpoint.config);
      return 'diverted';
    }
    if (entry.started >= poisonous) {
      outcomes.giveUp(entry, 'poison', `its POST began ${entry.started} times, and the worker ended each time`);
      return 'diverted';
    }
    const { batch } = endpoint.config;
    if (batch !== null && isBatchable(delivery, entry.stream)) {
      this.#ports.batching.form(entry, lane, endpoint, batch, now);
      return 'diverted';
    }
    const { announced } = partition;
    // It has taken its turn of the endpoint's rate, and is yet to be sent: another one would come too close to it.
    if (announced?.lane === lane && !announced.isPosted) return 'unread';
    if (partition.isSuspect(entry, clock.monotonic())) {
      // One at a time: else the next owner could not tell which of them it was.
      if (announced !== null) return 'unread';
      partition.announced = { entry, lane, isPosted: false };
      const trial = { endpoint, post: signedPost(entry, endpoint, keys, now), startedAt: now };
      const since = clock.monotonic();
      outcomes.announce(entry, trial, () => this.#afterAnnouncement(entry, lane, since));
      return 'posted';
    }
    this.#send(entry, lane, endpoint, signedPost(entry, endpoint, keys, now), now);
    return 'posted';
  }

  /** A partition is lost: a POST of it that was announced is not made any more, and gives back what it has taken. */
  lost({ announced }: OwnedPartition): void {
    if (announced !== null && !announced.isPosted) this.#ports.landed(announced.lane, announced.entry, notMade);
  }

  /** The announcement took its time: whether it may be sent, and to whom, is asked again. */
  #afterAnnouncement(entry: Entry, lane: Lane<Entry>, since: number): void {
    const { clock, directory, mayStart, outcomes, copies } = this.#ports;
    const { announced } = entry.partition;
    if (announced?.entry !== entry) return;
    const now = clock.now();
    if (!mayStart()) {
      clock.schedule(50, () => {
        if (entry.partition.alive) this.#afterAnnouncement(entry, lane, since);
      });
      return;
    }
    announced.isPosted = true;
    const found = directory.lookup(entry.delivery);
    const keys = directory.signingKeysOf(entry.endpointId, now);
    if (found.kind === 'ready' && keys.length > 0) {
      this.#ports.late(lane, entry, clock.monotonic() - since);
      this.#send(entry, lane, found.endpoint, signedPost(entry, found.endpoint, keys, now), now);
      return;
    }
    if (found.kind === 'gone') outcomes.drop(entry);
    else if (isTestStream(entry.stream)) outcomes.giveUp(entry, 'undeliverable', unusable);
    else copies.putOff(entry);
    this.#ports.landed(lane, entry, notMade);
  }

  #send(entry: Entry, lane: Lane<Entry>, endpoint: ReadyEndpoint, post: Post, startedAt: number): void {
    const { outcomes, http, landed } = this.#ports;
    void http.post(post).then((result) => {
      // The answer to a POST for a partition that was lost meanwhile is the next owner's affair.
      if (entry.partition.alive) outcomes.answered(entry, { endpoint, post, startedAt }, result);
      landed(lane, entry, result);
    });
  }
}
