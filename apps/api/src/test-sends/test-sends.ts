/**
 * Reads: the endpoint, its event type and transformation; posthorn.attempts, through attempt-watch.ts.
 * Writes: an audit entry, then the delivery of the test to posthorn.deliveries, once.
 * Guarantees: what is answered is what a worker has recorded; bounded in number and in time.
 * On a crash: the test is sent or not, and seen in the delivery log; nothing else is left of it.
 * Tests: test-sends.spec.ts, test/e2e/pause-and-backfill.e2e-spec.ts.
 */
import type { Attempt, Delivery } from '#libs/contracts';
import { awaitsVerification, deliveryIdOf, partitionFor } from '#libs/core';
import { SendError, type LogBounds, type RecordSender, type TopicPartition } from '#libs/kafka';
import type { Endpoint, EndpointRepository, TransformationRepository } from '#libs/persistence';
import type { Sandbox } from '#libs/sandbox';
import type { PlatformCodecs } from '#libs/schema-codec';
import { checkId, dateTime } from '../http/list-query.js';
import { AppError, notFound } from '../problem/app-error.js';
import { inSandbox } from '../transformations/transformations.js';
import type { AttemptWatch } from './attempt-watch.js';
import { passesFilters, testDelivery, testFormOf, type Transform } from './test-delivery.js';
import { testEventFor, type TestEvent, type TestEventPorts } from './test-event.js';
import type { SendTestBody, TestAnswer } from './test-send.dto.js';

export interface TestSendPorts extends TestEventPorts {
  readonly endpoints: Pick<EndpointRepository, 'get' | 'noteTest'>;
  readonly transformations: Pick<TransformationRepository, 'get'>;
  readonly sandbox: Pick<Sandbox, 'run'>;
  /** `check` throws while changes of the configuration cannot be published. */
  readonly publication: { published(): Promise<void>; check(): void };
  readonly sender: Pick<RecordSender, 'send'>;
  /** Rejects with an AppError while the brokers do not answer. */
  readonly bounds: (partitions: readonly TopicPartition[]) => Promise<readonly LogBounds[]>;
  readonly watch: Pick<AttemptWatch, 'watch'>;
  readonly codecs: Pick<PlatformCodecs, 'delivery'>;
  readonly schedule: (ms: number, run: () => void) => () => void;
}

export interface TestSendOptions {
  readonly topics: { readonly deliveries: string; readonly endpoints: string };
  /** Of deliveries and attempts. */
  readonly partitions: number;
  readonly maxEventBytes: number;
  /** Longest wait for the log to take it … */
  readonly appendMs: number;
  /** … and then for the answer. */
  readonly timeoutMs: number;
  /** Tests of this process that wait at once, those of one tenant, so that it leaves room to others, and those to one endpoint. */
  readonly atOnce: number;
  readonly atOnceOfTenant: number;
  readonly atOnceToOne: number;
}

export class TestSends {
  /** By who waits: everybody, a tenant, an endpoint. */
  readonly #waiting = new Map<string, number>();

  constructor(
    private readonly ports: TestSendPorts,
    private readonly options: TestSendOptions,
  ) {}

  /** @throws AppError */
  async send(id: string, body: SendTestBody): Promise<TestAnswer> {
    const endpoint = await this.ports.endpoints.get(checkId('endpoint', id));
    if (endpoint === null) throw notFound('endpoint', id);
    // Its URL may be of somebody who wants nothing.
    if (awaitsVerification(endpoint.verification))
      throw new AppError('not-verified', 'Nothing is sent to it before it is verified, not even a test.');
    const leave = this.#enter(endpoint);
    try {
      return await this.#send(endpoint, body);
    } finally {
      leave();
    }
  }

  async #send(endpoint: Endpoint, body: SendTestBody): Promise<TestAnswer> {
    const { ports, options } = this;
    const event = await testEventFor(endpoint, body, options.maxEventBytes, ports);
    const now = ports.now();
    const form = await testFormOf(endpoint, event, now, this.#transform(endpoint));
    const passes = passesFilters(endpoint, event);
    if (form.kind === 'cancelled') return cancelled(event, passes);
    const testId = ports.newId();
    const configVersion = await this.#configVersion();
    const delivery = testDelivery(endpoint, event, form, { testId, configVersion, now });
    const deliveryId = deliveryIdOf(delivery);
    const partition = partitionFor(endpoint.endpointId, options.partitions);
    const watched = await ports.watch.watch({ ...delivery, partition });
    try {
      const what = { deliveryId, eventType: delivery.eventType, webhookId: delivery.webhookId };
      if (!(await ports.endpoints.noteTest(endpoint.endpointId, what, now)))
        throw notFound('endpoint', endpoint.endpointId);
      await this.#append(delivery, partition);
      const attempt = await this.#inTime(watched.final, deliveryId);
      return answered({ event, delivery, deliveryId, passes }, attempt);
    } finally {
      watched.end();
    }
  }

  /** @returns how to leave */
  #enter({ endpointId, tenantId }: Endpoint): () => void {
    const { atOnce, atOnceOfTenant, atOnceToOne } = this.options;
    const bounds = [
      { name: `endpoint ${endpointId}`, whom: 'this endpoint', most: atOnceToOne },
      { name: `tenant ${tenantId}`, whom: 'this tenant', most: atOnceOfTenant },
      { name: '', whom: 'endpoints', most: atOnce },
    ];
    const full = bounds.find(({ name, most }) => (this.#waiting.get(name) ?? 0) >= most);
    if (full !== undefined) {
      const detail = `Other tests of ${full.whom} are under way. Try again when they are answered.`;
      throw new AppError('too-many-tests', detail, { headers: { 'retry-after': '1' } });
    }
    for (const { name } of bounds) this.#waiting.set(name, (this.#waiting.get(name) ?? 0) + 1);
    return () => {
      for (const { name } of bounds) {
        const left = (this.#waiting.get(name) ?? 1) - 1;
        if (left === 0) this.#waiting.delete(name);
        else this.#waiting.set(name, left);
      }
    };
  }

  #transform({ tenantId }: Endpoint): Transform {
    const { transformations, sandbox } = this.ports;
    return async (transformationId, input) => {
      const found = await transformations.get(transformationId);
      // An id alone gives no right to what is another's.
      if (found?.tenantId !== tenantId) return null;
      const { version, code } = found;
      return inSandbox(() => sandbox.run({ transformationId, version, code, input }));
    };
  }

  /** The newest there is: a worker that has read so far knows the endpoint as it is now. */
  async #configVersion(): Promise<number> {
    const { publication, bounds } = this.ports;
    await publication.published();
    try {
      publication.check();
    } catch (cause) {
      const detail = 'What was changed last is not in the log yet; no test was sent.';
      throw new AppError('broker-unavailable', detail, { headers: { 'retry-after': '2' }, cause });
    }
    const [found] = await bounds([{ topic: this.options.topics.endpoints, partition: 0 }]);
    return Math.max(0, (found?.end ?? 0) - 1);
  }

  async #append(delivery: Delivery, partition: number): Promise<void> {
    const value = this.ports.codecs.delivery.encode(delivery);
    const record = { topic: this.options.topics.deliveries, partition, key: delivery.endpointId, value };
    try {
      await this.ports.sender.send([record], { timeoutMs: this.options.appendMs });
    } catch (error) {
      throw refusedBySender(error);
    }
  }

  async #inTime(final: Promise<Attempt>, deliveryId: string): Promise<Attempt> {
    const { timeoutMs } = this.options;
    const { promise: late, reject } = Promise.withResolvers<never>();
    const callOff = this.ports.schedule(timeoutMs, () => {
      const seconds = timeoutMs / 1_000;
      const detail = `No outcome within ${seconds} s. It may still be sent; see GET /v1/deliveries/${deliveryId}.`;
      reject(new AppError('test-timeout', detail));
    });
    try {
      return await Promise.race([final, late]);
    } finally {
      callOff();
    }
  }
}

interface Sent {
  readonly event: TestEvent;
  readonly delivery: Delivery;
  readonly deliveryId: string;
  readonly passes: boolean;
}

const eventOf = ({ attributes: { id, source, type }, version }: TestEvent): TestAnswer['event'] => ({
  id,
  source,
  type,
  version,
});

const cancelled = (event: TestEvent, passes: boolean): TestAnswer => ({
  outcome: 'cancelled',
  deliveryId: null,
  event: eventOf(event),
  passesFilters: passes,
  startedAt: null,
  durationMs: null,
  request: null,
  response: null,
  error: null,
});

/** As the worker has recorded it; the body, which attempts do not hold, as it was given to the worker. */
function answered({ event, delivery, deliveryId, passes }: Sent, attempt: Attempt): TestAnswer {
  const { outcome, startedAt, durationMs, url, requestHeaders: headers, response, error } = attempt;
  const body = delivery.body?.toString('utf8') ?? '';
  return {
    outcome: outcome === 'delivered' ? 'delivered' : 'failed',
    deliveryId,
    event: eventOf(event),
    passesFilters: passes,
    startedAt: dateTime(startedAt),
    durationMs,
    request: attempt.number === 0 ? null : { url, headers: { ...headers }, body },
    response: response && { ...response, headers: { ...response.headers }, body: response.body.toString('utf8') },
    error: error && { kind: error.kind, message: error.message },
  };
}

/** What the sender throws, in our codes; anything else is a bug and stays as it is. */
function refusedBySender(error: unknown): unknown {
  if (!(error instanceof SendError) || error.code === 'refused') return error;
  if (error.code === 'too-large') return new AppError('too-large', 'It is larger than a delivery may be.');
  const detail = 'The brokers did not acknowledge the test in time. It may still be sent.';
  return new AppError('broker-unavailable', detail, { headers: { 'retry-after': '2' }, cause: error });
}
