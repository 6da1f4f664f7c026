import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

const latencyBuckets = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 43200];

/** What Posthorn counts: one method per fact. Stages declare the few that they need as a port of theirs. */
export class Metrics {
  readonly registry = new Registry();
  readonly #counters: ReturnType<typeof counters>;
  readonly #inFlight: Gauge;
  readonly #lag: Gauge<'topic' | 'partition'>;
  readonly #stopped: Gauge<'topic' | 'partition'>;
  readonly #outstanding: Gauge<'partition'>;
  readonly #overBound: Gauge<'partition'>;
  readonly #lanes: Gauge<'state'>;
  readonly #latency: Histogram;
  readonly #attempt: Histogram;
  readonly #batch: Histogram;

  constructor(app: string) {
    this.registry.setDefaultLabels({ app });
    collectDefaultMetrics({ register: this.registry });
    const registers = [this.registry];
    this.#counters = counters(registers);
    this.#inFlight = new Gauge({ name: 'posthorn_in_flight', help: 'POSTs on their way', registers });
    this.#lag = new Gauge({
      name: 'posthorn_lag_records',
      help: 'Records of a partition that are not settled yet',
      labelNames: ['topic', 'partition'],
      registers,
    });
    this.#outstanding = new Gauge({
      name: 'posthorn_outstanding_deliveries',
      help: 'Deliveries of a partition without a final outcome that its worker knows of, most of them in retry topics',
      labelNames: ['partition'],
      registers,
    });
    this.#overBound = new Gauge({
      name: 'posthorn_endpoints_over_bound',
      help: 'Endpoints of a partition with more outstanding than their bound: the excess waits in longer turns',
      labelNames: ['partition'],
      registers,
    });
    this.#lanes = new Gauge({
      name: 'posthorn_lanes',
      help: 'What lanes hold: ready and blocked (waiting for their order) deliveries; lanes with an open circuit; lanes held by their rate',
      labelNames: ['state'],
      registers,
    });
    this.#stopped = new Gauge({
      name: 'posthorn_partition_stopped',
      help: '1 for a partition that stopped with an alarm and waits for a decision',
      labelNames: ['topic', 'partition'],
      registers,
    });
    this.#latency = new Histogram({
      name: 'posthorn_delivery_latency_seconds',
      help: 'From the acceptance of an event to its first 2xx',
      buckets: latencyBuckets,
      registers,
    });
    this.#attempt = new Histogram({
      name: 'posthorn_attempt_duration_seconds',
      help: 'From the start of a POST to its outcome',
      buckets: latencyBuckets,
      registers,
    });
    this.#batch = new Histogram({
      name: 'posthorn_batch_events',
      help: 'Events of a POST to an endpoint that asks for batches',
      buckets: [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000],
      registers,
    });
  }

  eventsAccepted(count: number): void {
    this.#counters.accepted.inc(count);
  }
  eventRejected(reason: string): void {
    this.#counters.rejected.inc({ reason });
  }
  repeats(count: number): void {
    this.#counters.repeats.inc(count);
  }
  deliveriesDispatched(count: number): void {
    this.#counters.dispatched.inc(count);
  }
  endpointsFrozen(count: number): void {
    this.#counters.frozen.inc(count);
  }
  endpointsJoined(count: number): void {
    this.#counters.joined.inc(count);
  }
  deliveriesCaughtUp(count: number): void {
    this.#counters.caughtUp.inc(count);
  }
  eventsLost(count: number): void {
    this.#counters.lost.inc(count);
  }
  endpointFault(kind: string): void {
    this.#counters.endpointFaults.inc({ kind });
  }
  endpointVerification(method: string, result: string): void {
    this.#counters.verifications.inc({ method, result });
  }
  transformationRan(outcome: string, cpuMs: number): void {
    this.#counters.transformations.inc({ outcome });
    this.#counters.transformationSeconds.inc(cpuMs / 1000);
  }
  attempt(outcome: string, durationMs: number): void {
    this.#counters.attempts.inc({ outcome });
    this.#attempt.observe(durationMs / 1000);
  }
  delivered(latencyMs: number): void {
    this.#counters.delivered.inc();
    this.#latency.observe(Math.max(0, latencyMs) / 1000);
  }
  retried(): void {
    this.#counters.retried.inc();
  }
  deadLettered(reason: string): void {
    this.#counters.deadLettered.inc({ reason });
  }
  batch(events: number): void {
    this.#batch.observe(events);
  }
  tokenFetched(result: string): void {
    this.#counters.tokenFetches.inc({ result });
  }
  projected(count: number): void {
    this.#counters.projected.inc(count);
  }
  logPartDropped(table: string): void {
    this.#counters.logParts.inc({ table });
  }
  logRowsExpired(table: string, count: number): void {
    this.#counters.logRows.inc({ table }, count);
  }
  logRetentionPutOff(table: string): void {
    this.#counters.logPutOff.inc({ table });
  }
  inFlight(count: number): void {
    this.#inFlight.set(count);
  }
  lag(topic: string, partition: number, records: number): void {
    this.#lag.set({ topic, partition }, records);
  }
  outstanding(partition: number, deliveries: number, endpointsOverBound: number): void {
    this.#outstanding.set({ partition }, deliveries);
    this.#overBound.set({ partition }, endpointsOverBound);
  }
  lanes(counts: {
    readonly ready: number;
    readonly blocked: number;
    readonly circuitsOpen: number;
    readonly rateLimited: number;
  }): void {
    this.#lanes.set({ state: 'ready' }, counts.ready);
    this.#lanes.set({ state: 'blocked' }, counts.blocked);
    this.#lanes.set({ state: 'circuit-open' }, counts.circuitsOpen);
    this.#lanes.set({ state: 'rate-limited' }, counts.rateLimited);
  }
  /** The partition is no longer ours: its series end. */
  partitionLost(topic: string, partition: number): void {
    this.#outstanding.remove({ partition });
    this.#overBound.remove({ partition });
    this.#lag.remove({ topic, partition });
    this.#stopped.remove({ topic, partition });
  }
  partitionStopped(topic: string, partition: number): void {
    this.#stopped.set({ topic, partition }, 1);
  }
}

const counters = (registers: Registry[]) => ({
  accepted: new Counter({
    name: 'posthorn_events_accepted_total',
    help: 'Events acknowledged to their producer over REST',
    registers,
  }),
  rejected: new Counter({
    name: 'posthorn_events_rejected_total',
    help: 'Events refused, by reason',
    labelNames: ['reason'],
    registers,
  }),
  repeats: new Counter({
    name: 'posthorn_repeats_total',
    help: 'Events that were sent again and not dispatched again',
    registers,
  }),
  endpointFaults: new Counter({
    name: 'posthorn_endpoint_faults_total',
    help: 'By kind: filters that failed on an event, transformations that failed, and deliveries that they cancelled',
    labelNames: ['kind'],
    registers,
  }),
  verifications: new Counter({
    name: 'posthorn_endpoint_verifications_total',
    help: 'Tries to verify endpoints by method and result: verified, why not, or void (for a URL that was replaced)',
    labelNames: ['method', 'result'],
    registers,
  }),
  transformations: new Counter({
    name: 'posthorn_transformations_total',
    help: 'Runs of transformations by outcome: done, failed, or refused because it had exceeded its limits',
    labelNames: ['outcome'],
    registers,
  }),
  transformationSeconds: new Counter({
    name: 'posthorn_transformation_cpu_seconds_total',
    help: 'CPU time that transformations took',
    registers,
  }),
  tokenFetches: new Counter({
    name: 'posthorn_token_fetches_total',
    help: 'Requests to authorization servers of endpoints: token, or why there was none (guard, dns, timeout, connection, refused, unavailable, malformed)',
    labelNames: ['result'],
    registers,
  }),
  frozen: new Counter({
    name: 'posthorn_cursors_frozen_total',
    help: 'Endpoints that stopped to follow a source partition: paused, disabled, overflowing, with an open circuit',
    registers,
  }),
  joined: new Counter({
    name: 'posthorn_cursors_joined_total',
    help: 'Endpoints that follow a source partition live again, having caught up',
    registers,
  }),
  caughtUp: new Counter({
    name: 'posthorn_deliveries_caught_up_total',
    help: 'Deliveries appended by catch-ups, from the log',
    registers,
  }),
  lost: new Counter({
    name: 'posthorn_events_lost_to_retention_total',
    help: 'Records that the log no longer had when an endpoint would have caught up with them',
    registers,
  }),
  dispatched: new Counter({
    name: 'posthorn_deliveries_dispatched_total',
    help: 'Deliveries appended by the dispatcher',
    registers,
  }),
  attempts: new Counter({
    name: 'posthorn_attempts_total',
    help: 'Attempts, by what was decided',
    labelNames: ['outcome'],
    registers,
  }),
  delivered: new Counter({ name: 'posthorn_deliveries_delivered_total', help: 'Deliveries that got a 2xx', registers }),
  retried: new Counter({
    name: 'posthorn_deliveries_retried_total',
    help: 'Failed attempts that another follows',
    registers,
  }),
  deadLettered: new Counter({
    name: 'posthorn_deliveries_dead_lettered_total',
    help: 'Deliveries given up, by reason',
    labelNames: ['reason'],
    registers,
  }),
  projected: new Counter({
    name: 'posthorn_records_projected_total',
    help: 'Records that the projector has stored',
    registers,
  }),
  logParts: new Counter({
    name: 'posthorn_log_parts_dropped_total',
    help: 'Parts of the delivery log in PostgreSQL that were dropped by their age',
    labelNames: ['table'],
    registers,
  }),
  logRows: new Counter({
    name: 'posthorn_log_rows_expired_total',
    help: 'Rows of the delivery log that were deleted by their age, having no part of their own',
    labelNames: ['table'],
    registers,
  }),
  logPutOff: new Counter({
    name: 'posthorn_log_retention_put_off_total',
    help: 'Times that parts of the delivery log could not be made or dropped, mostly because somebody read for long',
    labelNames: ['table'],
    registers,
  }),
});
