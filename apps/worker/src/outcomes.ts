import type { AttemptOutcome, Delivery, EndpointConfig, TopicNames } from '#libs/contracts';
import { decide, topicFor, waitsInMemory, type PostResult } from '#libs/core';
import type { OutgoingRecord } from '#libs/kafka';
import type { PlatformCodecs } from '#libs/schema-codec';
import type { Appender } from './appender.js';
import { attemptOf, type AttemptFacts, type Trial } from './attempt.js';
import type { Clock } from './clock.js';
import { expiryOf, type ReadyEndpoint } from './endpoint-directory.js';
import type { Entry } from './owned-partition.js';

export interface OutcomeMetrics {
  attempt(outcome: AttemptOutcome, durationMs: number): void;
  delivered(latencyMs: number): void;
  retried(): void;
  deadLettered(reason: string): void;
}

/** Why a delivery is given up without another POST. */
export type GivenUp = 'undeliverable' | 'expired' | 'skipped' | 'poison';

export interface OutcomesPorts {
  readonly appender: Appender;
  readonly codecs: Pick<PlatformCodecs, 'delivery' | 'attempt' | 'deadLetter'>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly metrics: OutcomeMetrics;
  /** It answered that it is gone (410). */
  askedToDisable(endpointId: string, askedAt: number): void;
  /** As it is now; null when it is not known, or cannot be used. */
  endpointOf(endpointId: string): ReadyEndpoint | null;
  /** The receiver has it: it holds nothing up any more. */
  received(entry: Entry): void;
  /** Its outcome is durable. */
  closed(entry: Entry): void;
  /** Its next copy is durable. It leaves the memory, or waits there until `dueAt`. */
  moved(entry: Entry, dueAt: number | null): void;
  /** A copy of it is durable, in the place of those before. */
  secured(entry: Entry): void;
  /** Whether there is memory for another one that waits for its time. */
  mayWait(): boolean;
}

export interface OutcomesOptions {
  readonly topics: Pick<TopicNames, 'retry' | 'attempts' | 'deadLetters'>;
  readonly workerId: string;
}

/** Of what a dead letter repeats of its last error, in characters: the delivery beside it may nearly fill a record. */
const longestError = 500;

/** An endpoint that is paused or disabled, and a halted delivery, are looked at again after this long. */
const waitingDelayMs = 300_000;

/**
 * What follows from a delivery, as records: append first, then the Attempt that says it is final (DESIGN §3, Commit).
 * Copies settle only when what follows is acknowledged.
 */
export class Outcomes {
  readonly #options: OutcomesOptions;
  readonly #ports: OutcomesPorts;
  readonly #delaysMs: readonly number[];

  constructor(options: OutcomesOptions, ports: OutcomesPorts) {
    this.#options = options;
    this.#ports = ports;
    this.#delaysMs = options.topics.retry.map((topic) => topic.delayMs);
  }

  /** A POST has come to its end. */
  answered(entry: Entry, trial: Trial & { readonly endpoint: ReadyEndpoint }, result: PostResult): void {
    const { clock, metrics, random } = this.#ports;
    const { delivery } = entry;
    const { config } = trial.endpoint;
    const now = clock.now();
    const number = delivery.attempt + 1 - delivery.scheduleFrom;
    const decision = decide(result, number, config.retry, now, random(), expiryOf(delivery, config));
    switch (decision.kind) {
      case 'delivered':
        metrics.attempt('delivered', result.durationMs);
        metrics.delivered(now - delivery.acceptedAt);
        this.#close(entry, this.#attempt(entry, trial, result, { outcome: 'delivered', final: true }));
        this.#ports.received(entry);
        return;
      case 'retry':
        metrics.attempt('retry', result.durationMs);
        metrics.retried();
        this.#retry(entry, trial, result, decision.dueAt);
        return;
      case 'deadLetter':
        // What can be put right by waiting may be halted; what can never be sent would only hold up the others.
        if (config.onExhausted === 'halt' && delivery.ordering !== 'none' && decision.reason !== 'undeliverable') {
          this.#halt(entry, trial, result);
          return;
        }
        metrics.attempt(decision.kind, result.durationMs);
        this.#giveUp(entry, trial, result, { outcome: decision.kind, deadLetterReason: decision.reason });
        return;
      case 'disable':
        this.#ports.askedToDisable(entry.endpointId, trial.startedAt);
        metrics.attempt(decision.kind, result.durationMs);
        this.#giveUp(entry, trial, result, { outcome: decision.kind, deadLetterReason: decision.reason });
    }
  }

  /** No POST helps, or none is wanted any more. */
  giveUp(entry: Entry, reason: GivenUp, message: string): void {
    this.#giveUpUntried(entry, reason, { kind: reason, message });
  }

  /** The dispatcher could make no body of it: a fault of its transformation, or of what it was made of. */
  unrendered(entry: Entry): void {
    const { renderKind, renderError } = entry.delivery;
    // Older records name no kind.
    const kind = renderKind ?? 'transformation';
    const reason = kind === 'transformation' ? kind : 'undeliverable';
    this.#giveUpUntried(entry, reason, { kind, message: renderError ?? 'there is no body' });
  }

  /** The total time of its policy is over: it is exhausted like one whose attempts are. */
  expire(entry: Entry, config: EndpointConfig | undefined): void {
    const message = 'the total time of its retry policy is over';
    if (config?.onExhausted !== 'halt' || entry.ordering === 'none') {
      this.giveUp(entry, 'expired', message);
      return;
    }
    this.#halt(entry, this.#noTrial(entry), null, { kind: 'expired', message });
  }

  /** Its endpoint was deleted, or its replay cancelled. */
  drop(entry: Entry): void {
    this.#ports.metrics.attempt('dropped', 0);
    this.#close(entry, this.#attempt(entry, this.#noTrial(entry), null, { outcome: 'dropped', final: true }));
  }

  /** Its lane is full: back after `delayMs`, or the shortest delay that there is. */
  spill(entry: Entry, delayMs: number): void {
    this.#hop(entry, topicFor(this.#delaysMs, delayMs), null);
  }

  /** Its endpoint is not to be sent to for now, or it is halted. No attempt is burnt. */
  putOff(entry: Entry): void {
    this.#hop(entry, topicFor(this.#delaysMs, waitingDelayMs), entry.delivery.dueAt);
  }

  /**
   * It waits in its lane for long: a copy takes the place of the one that it came by, which would hold up its partition's
   * commit and what may be deleted. It stays where it is.
   */
  secure(entry: Entry): void {
    const { attempt, dueAt } = entry.delivery;
    this.#move(entry, topicFor(this.#delaysMs, waitingDelayMs), this.#copyOf(entry, { attempt, dueAt }), [], 'stays');
  }

  /** It is due at `dueAt`, later than the memory should hold it. */
  hop(entry: Entry, topic: number): void {
    this.#hop(entry, topic, entry.delivery.dueAt);
  }

  /** Announces a POST that may end this process. */
  announce(entry: Entry, trial: Trial, announced: () => void): void {
    const record = this.#attempt(entry, trial, null, { outcome: 'started', final: false });
    this.#ports.appender.append(entry.partition, [record], announced);
  }

  #retry(entry: Entry, trial: Trial, result: PostResult, dueAt: number): void {
    const remaining = dueAt - this.#ports.clock.now();
    const next = this.#copyOf(entry, { attempt: entry.delivery.attempt + 1, dueAt });
    const attempt = this.#attempt(entry, trial, result, { outcome: 'retry', final: false, dueAt });
    // What is due before its topic would give it back waits in memory too: its copy is for a crash.
    const stays = waitsInMemory(this.#delaysMs, remaining) && this.#ports.mayWait();
    this.#move(entry, topicFor(this.#delaysMs, remaining), next, [attempt], stays ? { until: dueAt } : 'away');
  }

  #halt(entry: Entry, trial: Trial, result: PostResult | null, error?: AttemptFacts['error']): void {
    const durationMs = result?.durationMs ?? 0;
    this.#ports.metrics.attempt('halted', durationMs);
    // The same time as the one that readers of the Attempt make out, so that a later decision can be told from an earlier.
    const haltedAt = trial.startedAt + Math.round(durationMs);
    const made = trial.post === null ? 0 : 1;
    const next = this.#copyOf(entry, { attempt: entry.delivery.attempt + made, dueAt: null, haltedAt });
    const facts = { outcome: 'halted', final: false } as const;
    const attempt = this.#attempt(entry, trial, result, error === undefined ? facts : { ...facts, error });
    this.#move(entry, topicFor(this.#delaysMs, waitingDelayMs), next, [attempt], 'away');
  }

  #giveUpUntried(entry: Entry, deadLetterReason: string, error: NonNullable<AttemptFacts['error']>): void {
    this.#ports.metrics.attempt('deadLetter', 0);
    this.#giveUp(entry, this.#noTrial(entry), null, { outcome: 'deadLetter', deadLetterReason, error });
  }

  #giveUp(
    entry: Entry,
    trial: Trial,
    result: PostResult | null,
    facts: Omit<AttemptFacts, 'final'> & { readonly deadLetterReason: string },
  ): void {
    const { clock, codecs, appender, metrics } = this.#ports;
    const { delivery } = entry;
    const attempt = trial.post === null ? delivery.attempt : delivery.attempt + 1;
    const error = result?.kind === 'error' ? result.error : facts.error;
    const deadLetter: OutgoingRecord = {
      topic: this.#options.topics.deadLetters,
      partition: entry.partition.number,
      key: delivery.endpointId,
      value: codecs.deadLetter.encode({
        deliveryId: entry.id,
        delivery: { ...delivery, attempt, pos: entry.pos },
        reason: facts.deadLetterReason,
        at: clock.now(),
        lastStatus: result?.kind === 'response' ? result.status : null,
        lastError: error === undefined ? null : `${error.kind}: ${error.message}`.slice(0, longestError),
      }),
    };
    const final = this.#attempt(entry, trial, result, { ...facts, final: true });
    // Two sends: a final Attempt without its dead letter would close the delivery and lose it.
    appender.append(entry.partition, [deadLetter], () => {
      metrics.deadLettered(facts.deadLetterReason);
      this.#close(entry, final);
    });
  }

  #close(entry: Entry, final: OutgoingRecord): void {
    this.#ports.appender.append(entry.partition, [final], () => this.#ports.closed(entry));
  }

  #hop(entry: Entry, topic: number, dueAt: number | null): void {
    this.#move(entry, topic, this.#copyOf(entry, { attempt: entry.delivery.attempt, dueAt }), [], 'away');
  }

  /** The next copy; when it is acknowledged it stands for the delivery, and the earlier ones settle. */
  #move(
    entry: Entry,
    topic: number,
    next: Delivery,
    further: readonly OutgoingRecord[],
    then: 'away' | 'stays' | { readonly until: number },
  ): void {
    const { partition } = entry;
    const record: OutgoingRecord = {
      topic: this.#options.topics.retry[topic]?.name ?? '',
      partition: partition.number,
      key: next.endpointId,
      value: this.#ports.codecs.delivery.encode(next),
    };
    this.#ports.appender.append(partition, [record, ...further], ([position]) => {
      const tracker = partition.retries[topic];
      if (tracker === undefined || position === undefined) return;
      const { offset } = position;
      tracker.appended(offset, partition.attemptsEnd);
      const copy = { tracker, offset };
      if (partition.ledger.get(entry.id) !== entry || entry.hop >= next.hop) {
        // It was appended beside what it was doing, which has come to its end meanwhile.
        partition.ledger.settle(copy);
        return;
      }
      const isIt = (one: Entry['early'][number]): boolean => one.offset === offset && one.tracker === tracker;
      const early = entry.early.filter((one) => one.hop <= next.hop && !isIt(one));
      entry.early = entry.early.filter((one) => one.hop > next.hop);
      partition.ledger.advance(entry, next.hop, [...early, copy]);
      if (then === 'stays') {
        // One that was read of a later hop is still needed.
        if ((entry.held?.hop ?? Infinity) <= next.hop) entry.letGo();
        this.#ports.secured(entry);
        return;
      }
      const wasRead = entry.held?.hop === next.hop;
      if (then !== 'away' || !wasRead) entry.letGo();
      if (then === 'away') entry.place = wasRead ? 'held' : 'away';
      entry.load(next);
      this.#ports.moved(entry, then === 'away' ? null : then.until);
    });
  }

  #copyOf(entry: Entry, changes: Pick<Delivery, 'attempt' | 'dueAt'> & { readonly haltedAt?: number }): Delivery {
    entry.issued = Math.max(entry.issued, entry.hop) + 1;
    return {
      ...entry.delivery,
      ...changes,
      hop: entry.issued,
      pos: entry.pos,
      writer: entry.partition.writer,
    };
  }

  /** What ends without a POST names the configuration in force all the same. */
  #noTrial({ endpointId }: Entry): Trial {
    return { endpoint: this.#ports.endpointOf(endpointId), post: null, startedAt: this.#ports.clock.now() };
  }

  #attempt(entry: Entry, trial: Trial, result: PostResult | null, facts: AttemptFacts): OutgoingRecord {
    return {
      topic: this.#options.topics.attempts,
      partition: entry.partition.number,
      key: entry.endpointId,
      value: this.#ports.codecs.attempt.encode(attemptOf(entry, trial, result, facts, this.#options.workerId)),
    };
  }
}
