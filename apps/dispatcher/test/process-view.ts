import {
  CommitRefused,
  type InMemoryLog,
  type InMemoryMembership,
  type KafkaLog,
  type OutgoingRecord,
  type OwnershipListener,
  type RecordSender,
  type SendOptions,
  type TopicPartition,
} from '#libs/kafka';

const never = <T>(): Promise<T> => new Promise<T>(() => undefined);

/** One process's connection to the log: it can be killed, and its faults are chosen by the test. */
export class ProcessView implements KafkaLog {
  dead = false;
  /** What the next sends fail with, one after the other, before they reach the log. */
  readonly sendFailures: Error[] = [];
  /** Sends reach the log, but their answers are kept from the process. */
  answersLost = false;
  commitsRefused = false;
  /** How often the feed was asked to pause. */
  feedPauses = 0;
  /** Sends wait for it before they reach the log. */
  untilSent: Promise<void> | null = null;
  membershipOf: InMemoryMembership | null = null;
  readonly #log: InMemoryLog;

  constructor(log: InMemoryLog) {
    this.#log = log;
  }

  /** As kill -9 does, and the session runs out. */
  async kill(): Promise<void> {
    this.dead = true;
    this.membershipOf?.freeze();
    await this.membershipOf?.expire();
  }

  sender(): RecordSender {
    const inner = this.#log.sender();
    const send = async (records: readonly OutgoingRecord[], options?: SendOptions) => {
      const failure = this.sendFailures.shift();
      if (failure !== undefined) throw failure;
      if (this.dead) return never<never>();
      await this.untilSent;
      const held = () => !this.dead && (options?.held?.() ?? true);
      const positions = await inner.send(records, { held });
      return this.dead || this.answersLost ? never<never>() : positions;
    };
    return { send, close: () => Promise.resolve() };
  }

  /** How many records were read by ranges. */
  recordsRead = 0;
  /** So many of the next fetches of ranges fail. */
  rangeFailures = 0;

  reader() {
    const inner = this.#log.reader();
    const counted = async function* (this: ProcessView, ...[at, from, to]: Parameters<typeof inner.range>) {
      for await (const records of inner.range(at, from, to)) {
        if (this.rangeFailures > 0) {
          this.rangeFailures -= 1;
          throw new Error('no answer');
        }
        this.recordsRead += records.length;
        yield records;
      }
    }.bind(this);
    return {
      bounds: inner.bounds.bind(inner),
      offsetsAt: inner.offsetsAt.bind(inner),
      range: counted,
      close: inner.close.bind(inner),
    };
  }

  feed() {
    const inner = this.#log.feed();
    return {
      follow: (...[at, offset, handler]: Parameters<typeof inner.follow>) =>
        inner.follow(at, offset, {
          onRecords: (records, end) => this.dead || handler.onRecords(records, end),
          onOutOfRange: (error) => this.dead || handler.onOutOfRange(error),
        }),
      pause: (at: TopicPartition) => {
        this.feedPauses += 1;
        inner.pause(at);
      },
      resume: inner.resume.bind(inner),
      unfollow: inner.unfollow.bind(inner),
      close: inner.close.bind(inner),
    };
  }

  membership(options: { groupId: string; topics: readonly string[]; listener: OwnershipListener }) {
    const inner = this.#log.membership(options);
    this.membershipOf = inner;
    return {
      join: () => inner.join(),
      heldUntil: () => inner.heldUntil(),
      owned: () => inner.owned(),
      leave: () => inner.leave(),
      commit: async (commits: Parameters<typeof inner.commit>[0]) => {
        if (this.dead) return never<void>();
        if (this.commitsRefused) throw new CommitRefused('unavailable', 'no answer');
        return inner.commit(commits);
      },
    };
  }

  administration() {
    return this.#log.administration();
  }

  ping() {
    return this.#log.ping();
  }
}
