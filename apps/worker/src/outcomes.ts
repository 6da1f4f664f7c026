import type { AttemptOutcome, Delivery, TopicNames } from '#libs/contracts';
import { decide, topicFor, waitsInMemory, type PostResult } from '#libs/core';
import type { OutgoingRecord } from '#libs/kafka';
import type { PlatformCodecs } from '#libs/schema-codec';
import type { Appender } from './appender.js';
import { attemptOf, type AttemptFacts, type Trial } from './attempt.js';
import type { Clock } from './clock.js';
import type { ReadyEndpoint } from './endpoint-directory.js';
import type { Entry } from './owned-partition.js';

export interface OutcomeMetrics {
  attempt(outcome: AttemptOutcome, durationMs: number): void;
  delivered(latencyMs: number): void;
  retried(): void;
  deadLettered(reason: string): void;
}

export interface OutcomesPorts {
  readonly appender: Appender;
  readonly codecs: Pick<PlatformCodecs, 'delivery' | 'attempt' | 'deadLetter'>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly metrics: OutcomeMetrics;
  /** What followed is acknowledged: the entry settles and leaves the memory. */
  finish(entry: Entry): void;
  /** Whether there is memory for another one that waits for its time. */
  mayWait(): boolean;
  /** The next hop is acknowledged, and is also due soon: the entry waits in memory. */
  waitInMemory(entry: Entry, dueAt: number, copyOffset: number): void;
}

export interface OutcomesOptions {
  readonly topics: Pick<TopicNames, 'retry' | 'attempts' | 'deadLetters'>;
  readonly workerId: string;
}

/** Of what a dead letter repeats of its last error, in characters: the delivery beside it may nearly fill a record. */
const longestError = 500;

/** An endpoint that is paused or disabled is looked at again after this long. */
const waitingDelayMs = 300_000;

/**
 * What follows from a delivery, as records: append first, then the Attempt that says it is final (DESIGN §3, Commit).
 * An entry settles only when all of it is acknowledged.
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
    const now = clock.now();
    const decision = decide(result, delivery.attempt + 1, trial.endpoint.config.retry, now, random());
    switch (decision.kind) {
      case 'delivered':
        metrics.attempt('delivered', result.durationMs);
        metrics.delivered(now - delivery.acceptedAt);
        this.#close(entry, this.#attempt(entry, trial, result, { outcome: 'delivered', final: true }));
        return;
      case 'retry':
        metrics.attempt('retry', result.durationMs);
        metrics.retried();
        this.#retry(entry, trial, result, decision.dueAt);
        return;
      case 'deadLetter':
      case 'disable':
        metrics.attempt(decision.kind, result.durationMs);
        this.#giveUp(entry, trial, result, { outcome: decision.kind, deadLetterReason: decision.reason });
    }
  }

  /** It could not be rendered, or not be made a request: no POST helps. */
  undeliverable(entry: Entry, reason: 'transformation' | 'undeliverable', message: string): void {
    const trial = { endpoint: null, post: null, startedAt: this.#ports.clock.now() };
    const error = { kind: 'undeliverable', message };
    this.#ports.metrics.attempt('deadLetter', 0);
    this.#giveUp(entry, trial, null, { outcome: 'deadLetter', deadLetterReason: reason, error });
  }

  /** Its endpoint was deleted. */
  drop(entry: Entry): void {
    const trial = { endpoint: null, post: null, startedAt: this.#ports.clock.now() };
    this.#ports.metrics.attempt('dropped', 0);
    this.#close(entry, this.#attempt(entry, trial, null, { outcome: 'dropped', final: true }));
  }

  /** Its lane is full: back in a few seconds, from the shortest retry topic. */
  spill(entry: Entry): void {
    this.#hop(entry, 0, null);
  }

  /** Its endpoint is not to be sent to for now. No attempt is burnt. */
  putOff(entry: Entry): void {
    this.#hop(entry, topicFor(this.#delaysMs, waitingDelayMs), entry.delivery.dueAt);
  }

  /** It is due at `dueAt`, later than the memory should hold it. */
  hop(entry: Entry, topic: number): void {
    this.#hop(entry, topic, entry.delivery.dueAt);
  }

  #retry(entry: Entry, trial: Trial, result: PostResult, dueAt: number): void {
    const remaining = dueAt - this.#ports.clock.now();
    const { delivery } = entry;
    const next = this.#copyOf(entry, { attempt: delivery.attempt + 1, dueAt });
    const records = [
      this.#retryRecord(topicFor(this.#delaysMs, remaining), entry, next),
      this.#attempt(entry, trial, result, { outcome: 'retry', final: false, dueAt }),
    ];
    if (!waitsInMemory(this.#delaysMs, remaining) || !this.#ports.mayWait()) {
      this.#ports.appender.append(entry.partition, records, () => this.#ports.finish(entry));
      return;
    }
    // The copy is for a crash: its topic would give it back too late. The earlier copies settle when it is durable.
    const settling = entry.copies;
    entry.copies = [];
    entry.hop = next.hop;
    this.#ports.appender.append(entry.partition, records, ([copy]) => {
      entry.partition.settle(settling);
      entry.delivery = next;
      this.#ports.waitInMemory(entry, dueAt, copy?.offset ?? 0);
    });
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
    this.#ports.appender.append(entry.partition, [final], () => this.#ports.finish(entry));
  }

  #hop(entry: Entry, topic: number, dueAt: number | null): void {
    const record = this.#retryRecord(topic, entry, this.#copyOf(entry, { attempt: entry.delivery.attempt, dueAt }));
    this.#ports.appender.append(entry.partition, [record], () => this.#ports.finish(entry));
  }

  #copyOf(entry: Entry, changes: { readonly attempt: number; readonly dueAt: number | null }): Delivery {
    return {
      ...entry.delivery,
      ...changes,
      hop: entry.delivery.hop + 1,
      pos: entry.pos,
      writer: entry.partition.writer,
    };
  }

  #retryRecord(topic: number, entry: Entry, delivery: Delivery): OutgoingRecord {
    return {
      topic: this.#options.topics.retry[topic]?.name ?? '',
      partition: entry.partition.number,
      key: delivery.endpointId,
      value: this.#ports.codecs.delivery.encode(delivery),
    };
  }

  #attempt(entry: Entry, trial: Trial, result: PostResult | null, facts: AttemptFacts): OutgoingRecord {
    return {
      topic: this.#options.topics.attempts,
      partition: entry.partition.number,
      key: entry.delivery.endpointId,
      value: this.#ports.codecs.attempt.encode(attemptOf(entry, trial, result, facts, this.#options.workerId)),
    };
  }
}
