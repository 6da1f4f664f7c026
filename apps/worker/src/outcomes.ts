import type { AttemptOutcome, DeadLetter, EndpointConfig, TopicNames } from '#libs/contracts';
import { decide, isTestStream, textWithin, waitsInMemory, type PostResult } from '#libs/core';
import type { OutgoingRecord } from '#libs/kafka';
import type { PlatformCodecs } from '#libs/schema-codec';
import type { Appender } from './appender.js';
import { attemptOf, type AttemptFacts, type Trial } from './attempt.js';
import type { Clock } from './clock.js';
import { waitingDelayMs, type Changes, type Copies } from './copies.js';
import { expiryOf, type ReadyEndpoint } from './endpoint-directory.js';
import { isSuccess } from './lane.js';
import type { Entry } from './owned-partition.js';
import { subjectsOf, type Subject } from './subjects.js';

export interface OutcomeMetrics {
  attempt(outcome: AttemptOutcome, durationMs: number): void;
  delivered(latencyMs: number): void;
  retried(): void;
  deadLettered(reason: string): void;
  /** A batch of so many was POSTed. */
  batch(events: number): void;
}

/** Why a delivery is given up without another POST. */
export type GivenUp = 'undeliverable' | 'expired' | 'skipped' | 'poison' | 'overloaded';

export interface OutcomesPorts {
  readonly appender: Appender;
  readonly copies: Copies;
  readonly codecs: Pick<PlatformCodecs, 'attempt' | 'deadLetter'>;
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
  /** Whether there is memory for another one that waits for its time. */
  mayWait(): boolean;
}

export interface OutcomesOptions {
  readonly topics: Pick<TopicNames, 'retry' | 'attempts' | 'deadLetters'>;
  readonly workerId: string;
}

/** Of what a dead letter repeats of its last error: the delivery beside it may fill a record but for 1,024 bytes. */
const longestErrorBytes = 500;
const leftOut = 'its body was left out: with it the dead letter was too large for a record';

type GivenUpFacts = Omit<AttemptFacts, 'final'> & { readonly deadLetterReason: string };

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
    if (isTestStream(entry.stream)) {
      this.#endTest(entry, trial, result);
      return;
    }
    const now = clock.now();
    const number = delivery.attempt + 1 - delivery.scheduleFrom;
    const decision = decide(result, number, config.retry, now, random(), expiryOf(delivery, config));
    if (delivery.members !== null) metrics.batch(delivery.members.length);
    switch (decision.kind) {
      case 'delivered':
        metrics.attempt('delivered', result.durationMs);
        for (const subject of subjectsOf(entry)) {
          metrics.delivered(now - subject.delivery.acceptedAt);
          this.#close(subject, this.#attempt(subject, trial, result, { outcome: 'delivered', final: true }));
        }
        this.#ports.received(entry);
        return;
      case 'retry':
        metrics.attempt('retry', result.durationMs);
        metrics.retried();
        this.#retry(entry, trial, result, decision.dueAt);
        return;
      case 'deadLetter':
        // What can be put right by waiting may be halted; what can never be sent would only hold up the others.
        if (config.onExhausted === 'halt' && isOrdered(entry) && decision.reason !== 'undeliverable') {
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
    const isTest = isTestStream(entry.stream);
    const message = isTest ? 'nobody waits for the test any more' : 'the total time of its retry policy is over';
    if (config?.onExhausted !== 'halt' || !isOrdered(entry)) {
      this.giveUp(entry, 'expired', message);
      return;
    }
    this.#halt(entry, this.#noTrial(entry), null, { kind: 'expired', message });
  }

  /** Its endpoint was deleted, or its replay cancelled. */
  drop(entry: Entry): void {
    if (isTestStream(entry.stream)) {
      this.giveUp(entry, 'undeliverable', 'its endpoint was deleted');
      return;
    }
    this.#ports.metrics.attempt('dropped', 0);
    const trial = this.#noTrial(entry);
    for (const subject of subjectsOf(entry))
      this.#close(subject, this.#attempt(subject, trial, null, { outcome: 'dropped', final: true }));
  }

  /** Announces a POST that may end this process; of a batch, its first member does. */
  announce(entry: Entry, trial: Trial, announced: () => void): void {
    const started = { outcome: 'started', final: false } as const;
    const records = subjectsOf(entry)
      .slice(0, 1)
      .map((first) => this.#attempt(first, trial, null, started));
    this.#ports.appender.append(entry.partition, records, announced);
  }

  #retry(entry: Entry, trial: Trial, result: PostResult, dueAt: number): void {
    const delayMs = dueAt - this.#ports.clock.now();
    // What is due before its topic would give it back waits in memory too: its copy is for a crash.
    const stays = waitsInMemory(this.#delaysMs, delayMs) && this.#ports.mayWait() ? dueAt : null;
    const attempts = this.#attempts(entry, trial, result, { outcome: 'retry', final: false, dueAt });
    this.#goOn(entry, { attempt: entry.delivery.attempt + 1, dueAt }, delayMs, stays, attempts);
  }

  #halt(entry: Entry, trial: Trial, result: PostResult | null, error?: AttemptFacts['error']): void {
    const durationMs = result?.durationMs ?? 0;
    this.#ports.metrics.attempt('halted', durationMs);
    // The same time as the one that readers of the Attempt make out, so that a later decision can be told from an earlier.
    const haltedAt = trial.startedAt + Math.round(durationMs);
    const attempt = entry.delivery.attempt + (trial.post === null ? 0 : 1);
    const facts = { outcome: 'halted', final: false } as const;
    const attempts = this.#attempts(entry, trial, result, error === undefined ? facts : { ...facts, error });
    this.#goOn(entry, { attempt, dueAt: null, haltedAt }, waitingDelayMs, null, attempts);
  }

  /** Copy and Attempt share a send; of a batch, the other members' need not fit into it. */
  #goOn(
    entry: Entry,
    changes: Changes,
    delayMs: number,
    stays: number | null,
    [first, ...others]: readonly OutgoingRecord[],
  ): void {
    this.#ports.copies.next(entry, changes, { delayMs, stays, further: first === undefined ? [] : [first] });
    for (const one of others) this.#ports.appender.append(entry.partition, [one], () => undefined);
  }

  /**
   * A test is over with its first answer, whatever that is: it is neither tried again nor a dead letter, no endpoint is
   * disabled by it, and nothing counts it.
   */
  #endTest(entry: Entry, trial: Trial, result: PostResult | null, error?: AttemptFacts['error']): void {
    const outcome = result !== null && isSuccess(result) ? 'delivered' : 'dropped';
    const facts = { outcome, final: true, ...(error && { error }) } as const;
    for (const subject of subjectsOf(entry)) this.#close(subject, this.#attempt(subject, trial, result, facts));
  }

  #giveUpUntried(entry: Entry, deadLetterReason: string, error: NonNullable<AttemptFacts['error']>): void {
    if (isTestStream(entry.stream)) {
      this.#endTest(entry, this.#noTrial(entry), null, error);
      return;
    }
    this.#ports.metrics.attempt('deadLetter', 0);
    this.#giveUp(entry, this.#noTrial(entry), null, { outcome: 'deadLetter', deadLetterReason, error });
  }

  #giveUp(entry: Entry, trial: Trial, result: PostResult | null, facts: GivenUpFacts): void {
    for (const subject of subjectsOf(entry)) this.#giveUpOne(subject, trial, result, facts);
  }

  #giveUpOne(subject: Subject, trial: Trial, result: PostResult | null, facts: GivenUpFacts): void {
    const { clock, appender, metrics } = this.#ports;
    const { entry, delivery } = subject;
    const attempt = trial.post === null ? delivery.attempt : delivery.attempt + 1;
    const error = result?.kind === 'error' ? result.error : facts.error;
    const deadLetter: DeadLetter = {
      deliveryId: entry.id,
      delivery: { ...delivery, attempt, pos: entry.pos },
      reason: facts.deadLetterReason,
      at: clock.now(),
      lastStatus: result?.kind === 'response' ? result.status : null,
      lastError: error === undefined ? null : textWithin(`${error.kind}: ${error.message}`, longestErrorBytes),
    };
    const final = this.#attempt(subject, trial, result, { ...facts, final: true });
    // Two sends: a final Attempt without its dead letter would close the delivery and lose it.
    const written = (): void => {
      metrics.deadLettered(facts.deadLetterReason);
      this.#close(subject, final);
    };
    const { partition } = entry;
    appender.append(partition, [this.#deadLetterRecord(subject, deadLetter)], written, () => {
      // What was made to other bounds must not hold up all the others: the event is in its log.
      const { renderError } = delivery;
      const bare = { ...deadLetter.delivery, headers: {}, body: null, renderError: renderError ?? leftOut };
      appender.append(partition, [this.#deadLetterRecord(subject, { ...deadLetter, delivery: bare })], written);
    });
  }

  #deadLetterRecord({ entry }: Subject, deadLetter: DeadLetter): OutgoingRecord {
    return {
      topic: this.#options.topics.deadLetters,
      partition: entry.partition.number,
      key: entry.endpointId,
      value: this.#ports.codecs.deadLetter.encode(deadLetter),
    };
  }

  #close({ entry }: Subject, final: OutgoingRecord): void {
    this.#ports.appender.append(entry.partition, [final], () => this.#ports.closed(entry));
  }

  /** What ends without a POST names the configuration in force all the same. */
  #noTrial({ endpointId }: Entry): Trial {
    return { endpoint: this.#ports.endpointOf(endpointId), post: null, startedAt: this.#ports.clock.now() };
  }

  #attempts(entry: Entry, trial: Trial, result: PostResult | null, facts: AttemptFacts): readonly OutgoingRecord[] {
    return subjectsOf(entry).map((subject) => this.#attempt(subject, trial, result, facts));
  }

  #attempt(subject: Subject, trial: Trial, result: PostResult | null, facts: AttemptFacts): OutgoingRecord {
    const { partition, endpointId } = subject.entry;
    return {
      topic: this.#options.topics.attempts,
      partition: partition.number,
      key: endpointId,
      value: this.#ports.codecs.attempt.encode(attemptOf(subject, trial, result, facts, this.#options.workerId)),
    };
  }
}

/** Whether others wait for it: of a batch, for any of its members without an outcome. */
const isOrdered = ({ ordering, members }: Entry): boolean =>
  members === null ? ordering !== 'none' : [...members].some((member) => member.ordering !== 'none');
