import type { KeyObject } from 'node:crypto';
import { isTestStream, withoutCredential, type PostFailure, type PostResult } from '#libs/core';
import type { HttpPost } from '#libs/http-delivery';
import { signedPost, type Post, type Trial } from './attempt.js';
import { isBatchable } from './batch-record.js';
import type { Batching } from './batching.js';
import type { Clock } from './clock.js';
import type { Copies } from './copies.js';
import { expiryOf, type EndpointDirectory, type ReadyEndpoint } from './endpoint-directory.js';
import type { Entry, OwnedPartition } from './owned-partition.js';
import type { Lane } from './lane.js';
import type { Start } from './lanes-ports.js';
import type { Outcomes } from './outcomes.js';
import type { TokenCache } from './token-cache.js';

/** Sends a POST; never rejects. */
export interface Http {
  post(request: HttpPost): Promise<PostResult>;
}

export interface PostingPorts {
  readonly http: Http;
  readonly clock: Clock;
  readonly directory: EndpointDirectory;
  readonly outcomes: Outcomes;
  readonly copies: Copies;
  readonly batching: Batching;
  readonly tokens: Pick<TokenCache<Lane<Entry>>, 'get' | 'refused'>;
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

interface Made extends Trial {
  readonly endpoint: ReadyEndpoint;
  readonly post: Post;
  /** Why it is not sent: there is no token to show. Null: it may be. */
  readonly failure: PostFailure | null;
}

/** A delivery that began so often without an outcome has ended its worker each time. */
const poisonous = 3;

const unauthorized = 401;

const notMade: PostResult = { kind: 'error', error: { kind: 'aborted', message: 'it was not made' }, durationMs: 0 };

const unusable = 'its endpoint is not verified, or its configuration cannot be used';
const unproved = 'what its request is to show was not there in time';

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
    const made = this.#made(entry, lane, endpoint, keys, now);
    if (made === null) return 'unread';
    if (made.failure === null && partition.isSuspect(entry, clock.monotonic())) {
      // One at a time: else the next owner could not tell which of them it was.
      if (announced !== null) return 'unread';
      partition.announced = { entry, lane, isPosted: false };
      const since = clock.monotonic();
      outcomes.announce(entry, made, () => this.#afterAnnouncement(entry, lane, since));
      return 'posted';
    }
    this.#send(entry, lane, made);
    return 'posted';
  }

  /**
   * With what it shows beside the signatures. A token may have to be fetched first, for which only this lane waits.
   * @returns null: it is being fetched
   */
  #made(
    entry: Entry,
    lane: Lane<Entry>,
    endpoint: ReadyEndpoint,
    keys: readonly KeyObject[],
    startedAt: number,
  ): Made | null {
    const { grant, credential } = endpoint.credentials;
    const shown = grant === null ? ({ kind: 'held', credential } as const) : this.#ports.tokens.get(grant, lane);
    switch (shown.kind) {
      case 'fetching':
        return null;
      case 'failed':
        return { endpoint, post: signedPost(entry, endpoint, keys, null, startedAt), startedAt, failure: shown.result };
      case 'held': {
        const post = signedPost(entry, endpoint, keys, shown.credential, startedAt);
        return { endpoint, post, startedAt, failure: null };
      }
    }
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
      // A token that has ended meanwhile is not waited for here: its turn comes again.
      const made = this.#made(entry, lane, found.endpoint, keys, now);
      if (made !== null) {
        this.#ports.late(lane, entry, clock.monotonic() - since);
        this.#send(entry, lane, made);
        return;
      }
    }
    if (found.kind === 'gone') outcomes.drop(entry);
    else if (isTestStream(entry.stream))
      outcomes.giveUp(entry, 'undeliverable', found.kind === 'ready' ? unproved : unusable);
    else copies.putOff(entry);
    this.#ports.landed(lane, entry, notMade);
  }

  #send(entry: Entry, lane: Lane<Entry>, made: Made): void {
    const { http, tokens, clock } = this.#ports;
    const { endpoint, post, failure } = made;
    if (failure !== null) {
      // It fails as if the endpoint had, and is tried again like that. In a turn of its own: not before the lane knows that
      // it has begun; and what fails without waiting for anything must not keep all else from its turn.
      clock.defer(() => this.#landed(entry, lane, made, failure));
      return;
    }
    void http.post(post).then((result) => {
      const { credential } = post;
      const { grant } = endpoint.credentials;
      if (grant !== null && credential !== null && isUnauthorized(result)) tokens.refused(grant, credential);
      this.#landed(entry, lane, made, credential === null ? result : withoutCredential(result, credential.hidden));
    });
  }

  #landed(entry: Entry, lane: Lane<Entry>, made: Made, result: PostResult): void {
    const { outcomes, landed } = this.#ports;
    // The answer to a POST for a partition that was lost meanwhile is the next owner's affair.
    if (entry.partition.alive) outcomes.answered(entry, made, result);
    landed(lane, entry, result);
  }
}

const isUnauthorized = (result: PostResult): boolean => result.kind === 'response' && result.status === unauthorized;
