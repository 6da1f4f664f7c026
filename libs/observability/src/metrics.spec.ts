import { describe, expect, it } from 'vitest';
import { Metrics } from './metrics.js';

const linesOf = async (metrics: Metrics): Promise<readonly string[]> =>
  (await metrics.registry.metrics()).split('\n').filter((line) => line.startsWith('posthorn_'));

describe('Metrics', () => {
  it('shows every fact under the name that dashboards use', async () => {
    const metrics = new Metrics('worker');
    metrics.eventsAccepted(2);
    metrics.eventRejected('malformed');
    metrics.repeats(3);
    metrics.deliveriesDispatched(4);
    metrics.attempt('retry', 20);
    metrics.delivered(1_500);
    metrics.retried();
    metrics.deadLettered('exhausted');
    metrics.projected(5);
    metrics.inFlight(6);
    metrics.lag('deliveries', 1, 7);
    metrics.partitionStopped('deliveries', 1);
    expect(await linesOf(metrics)).toEqual(
      expect.arrayContaining([
        'posthorn_events_accepted_total{app="worker"} 2',
        'posthorn_events_rejected_total{reason="malformed",app="worker"} 1',
        'posthorn_repeats_total{app="worker"} 3',
        'posthorn_deliveries_dispatched_total{app="worker"} 4',
        'posthorn_attempts_total{outcome="retry",app="worker"} 1',
        'posthorn_deliveries_delivered_total{app="worker"} 1',
        'posthorn_deliveries_retried_total{app="worker"} 1',
        'posthorn_deliveries_dead_lettered_total{reason="exhausted",app="worker"} 1',
        'posthorn_records_projected_total{app="worker"} 5',
        'posthorn_in_flight{app="worker"} 6',
        'posthorn_lag_records{topic="deliveries",partition="1",app="worker"} 7',
        'posthorn_partition_stopped{topic="deliveries",partition="1",app="worker"} 1',
      ]),
    );
  });

  it('measures in seconds, and takes a clock that was set back for no time at all', async () => {
    const metrics = new Metrics('worker');
    metrics.attempt('delivered', 250);
    metrics.delivered(1_500);
    metrics.delivered(-40);
    metrics.batch(7);
    expect(await linesOf(metrics)).toEqual(
      expect.arrayContaining([
        'posthorn_attempt_duration_seconds_sum{app="worker"} 0.25',
        'posthorn_delivery_latency_seconds_sum{app="worker"} 1.5',
        'posthorn_delivery_latency_seconds_count{app="worker"} 2',
        'posthorn_batch_events_sum{app="worker"} 7',
      ]),
    );
  });

  it('ends the series of a partition that was lost, and of no other', async () => {
    const metrics = new Metrics('worker');
    for (const partition of [1, 2]) {
      metrics.lag('deliveries', partition, 7);
      metrics.partitionStopped('deliveries', partition);
    }
    metrics.partitionLost('deliveries', 1);
    const partitions = (await linesOf(metrics)).filter((line) => line.includes('partition='));
    expect(partitions).toHaveLength(2);
    for (const line of partitions) expect(line).toContain('partition="2"');
  });
});
