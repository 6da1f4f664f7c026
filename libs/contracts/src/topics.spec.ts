import { describe, expect, it } from 'vitest';
import { groupNames, retryDelays, tenantKey, topicNames, topicSpecs, type TopicLayout } from './topics.js';

const layout: TopicLayout = {
  prefix: 'p',
  eventPartitions: 3,
  deliveryPartitions: 5,
  replicationFactor: 3,
  minInSyncReplicas: 2,
  maxMessageBytes: 1_048_588,
};
const specs = topicSpecs(layout);
const names = topicNames('p');
const specOf = (name: string) => specs.find((spec) => spec.name === name);

describe('the topics', () => {
  it('are each made once, and all that have a name', () => {
    const { retry, ...others } = names;
    const named = [...Object.values(others), ...retry.map(({ name }) => name)];
    expect(specs.map(({ name }) => name).toSorted()).toEqual(named.toSorted());
  });

  it('take the time of the append, and never lose what was acknowledged to an election', () => {
    for (const { replicationFactor, config } of specs) {
      expect(replicationFactor).toBe(3);
      expect(config).toMatchObject({
        'message.timestamp.type': 'LogAppendTime',
        'min.insync.replicas': '2',
        'unclean.leader.election.enable': 'false',
      });
    }
  });

  it('of deliveries, retries and attempts have the same partitions: the owner of one owns all of its number', () => {
    for (const name of [names.deliveries, names.attempts, ...names.retry.map((topic) => topic.name)]) {
      expect(specOf(name)?.partitions).toBe(5);
    }
  });

  it('keep deliveries and retries until they are settled, whatever time that takes', () => {
    for (const name of [names.deliveries, ...names.retry.map((topic) => topic.name)]) {
      expect(specOf(name)?.config).toMatchObject({ 'retention.ms': '-1', 'retention.bytes': '-1' });
    }
  });

  it('hold the configuration compacted in one partition, where a version is an offset', () => {
    expect(specOf(names.endpoints)).toMatchObject({ partitions: 1, config: { 'cleanup.policy': 'compact' } });
  });

  it('of retries wait as long as their names say, the shortest first', () => {
    const units: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };
    for (const { suffix, delayMs } of retryDelays) {
      expect(delayMs).toBe(Number(suffix.slice(0, -1)) * (units[suffix.slice(-1)] ?? Number.NaN));
    }
    const delays = retryDelays.map(({ delayMs }) => delayMs);
    expect(delays).toEqual(delays.toSorted((a, b) => a - b));
  });
});

describe('names', () => {
  it('of two deployments on one cluster have nothing in common', () => {
    const ofOne = (prefix: string): readonly string[] => [
      ...topicSpecs({ ...layout, prefix }).map(({ name }) => name),
      ...Object.values(groupNames(prefix)),
    ];
    expect(ofOne('a').filter((name) => ofOne('b').includes(name))).toEqual([]);
  });

  it("of a tenant's record cannot be that of an endpoint", () => {
    expect(tenantKey('acme')).toBe('tenant:acme');
  });
});
