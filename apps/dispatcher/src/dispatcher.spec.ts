/**
 * A whole dispatcher. Real: every stage, the codec. Doubled: the log (in memory, one contract with Kafka), the registry,
 * time. Asserted: what stands in the log afterwards.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import { Harness, topics } from '../test/dispatcher-harness.js';
import { partitionFor, webhookIdOf } from '#libs/core';
import { platformSchemas } from '#libs/schema-codec';

/** The harness registers it after all of the platform's. */
const taskUpdatedId = Object.keys(platformSchemas).length + 1;

let posthorn: Harness;
beforeEach(async () => {
  posthorn = await Harness.open();
  await posthorn.tenant();
});

describe('an event', () => {
  it('becomes one delivery for each endpoint that wants it', async () => {
    const version = await posthorn.endpoint('ep_all', { ordering: 'key' });
    await posthorn.endpoint('ep_tasks', { eventTypes: ['task.*', 'task.updated', '*'] });
    await posthorn.endpoint('ep_comments', { eventTypes: ['comment.*'] });
    await posthorn.endpoint('ep_paused', { state: 'paused' });
    await posthorn.endpoint('ep_other', { tenantId: 'globex' });
    const { dispatcher, counts } = await posthorn.start();
    await posthorn.event({ id: 'e-1', subject: 'task/7' });
    await posthorn.time.settle();
    expect(posthorn.deliveryIds().toSorted()).toEqual(['ep_all.live.0.0.0', 'ep_tasks.live.0.0.0']);
    const delivery = posthorn.deliveries().find(({ endpointId }) => endpointId === 'ep_all');
    expect(delivery).toMatchObject({
      tenantId: 'acme',
      webhookId: webhookIdOf('ep_all', '/projects', 'e-1'),
      configVersion: version,
      ordering: 'key',
      orderingKey: 'task/7',
      floor: 0,
      eventId: 'e-1',
      eventSource: '/projects',
      eventType: 'task.updated',
      acceptedAt: posthorn.time.now(),
      contentType: 'application/cloudevents+json; charset=utf-8',
      attempt: 0,
      hop: 0,
      pos: null,
      dueAt: null,
    });
    expect(delivery?.at).toMatchObject({ key: Buffer.from('ep_all'), partition: partitionFor('ep_all', 3) });
    expect(JSON.parse(delivery?.body?.toString('utf8') ?? '')).toEqual({
      specversion: '1.0',
      id: 'e-1',
      source: '/projects',
      type: 'task.updated',
      subject: 'task/7',
      datacontenttype: 'application/json',
      data: { title: 'Task 1' },
    });
    expect(counts).toMatchObject({ dispatched: 2, repeats: 0, rejected: [] });
    expect(() => dispatcher.check()).not.toThrow();
  });

  it('is dispatched at once when nothing else is going on', async () => {
    await posthorn.endpoint('ep_1');
    await posthorn.start();
    const before = posthorn.time.elapsed;
    await posthorn.event();
    await posthorn.time.settle();
    expect(posthorn.deliveries()).toHaveLength(1);
    expect(posthorn.time.elapsed).toBe(before);
  });

  it('that nobody wants is done', async () => {
    const { dispatcher } = await posthorn.start();
    await posthorn.events(3);
    await posthorn.time.settle();
    await dispatcher.stop();
    expect(posthorn.deliveries()).toEqual([]);
    expect(await posthorn.committed(0)).toMatchObject({ offset: 3 });
  });

  it('is matched against all that stood in the configuration when the dispatcher started', async () => {
    await posthorn.events(2);
    for (let i = 0; i < 1_200; i += 1) await posthorn.endpoint(`ep_${i}`);
    await posthorn.endpoint('ep_7', { eventTypes: ['comment.*'] });
    await posthorn.append(topics.endpoints, 0, 'ep_8', null);
    await posthorn.start();
    await posthorn.time.advance(100);
    expect(posthorn.deliveries()).toHaveLength(2 * 1_198);
    expect(new Set(posthorn.deliveryIds()).size).toBe(2 * 1_198);
  });

  it('follows changes of the configuration', async () => {
    const { dispatcher } = await posthorn.start();
    await posthorn.event({ id: 'before' });
    await posthorn.time.settle();
    await posthorn.endpoint('ep_1');
    await posthorn.time.settle();
    await posthorn.event({ id: 'while' });
    await posthorn.time.settle();
    await posthorn.append(topics.endpoints, 0, 'ep_1', null);
    await posthorn.time.settle();
    await posthorn.event({ id: 'after' });
    await posthorn.time.settle();
    expect(posthorn.deliveries().map(({ eventId }) => eventId)).toEqual(['while']);
    await dispatcher.stop();
  });
});

describe('a repeat', () => {
  it('of the same tenant, source and id is dispatched once, also by the next owner', async () => {
    await posthorn.endpoint('ep_1');
    await posthorn.tenant('globex');
    await posthorn.endpoint('ep_2', { tenantId: 'globex' });
    const first = await posthorn.start();
    await posthorn.event({ id: 'a' });
    await posthorn.event({ id: 'a' });
    await posthorn.event({ id: 'a', headers: { ce_source: '/other' } });
    await posthorn.event({ id: 'a', tenant: 'globex' });
    await posthorn.time.settle();
    expect(first.counts).toMatchObject({ dispatched: 3, repeats: 1 });
    await first.dispatcher.stop();
    const second = await posthorn.start();
    await posthorn.event({ id: 'a' });
    await posthorn.event({ id: 'b' });
    await posthorn.time.settle();
    expect(second.counts).toMatchObject({ dispatched: 1, repeats: 1 });
    expect(
      posthorn
        .deliveries()
        .map(({ sourceOffset }) => sourceOffset)
        .toSorted((a, b) => a - b),
    ).toEqual([0, 2, 3, 5]);
  });

  it('is looked for among so many records before it', async () => {
    await posthorn.endpoint('ep_1');
    const first = await posthorn.start({ repeatWindow: 3 });
    await posthorn.event({ id: 'a' });
    await posthorn.events(2);
    await posthorn.time.settle();
    await first.dispatcher.stop();
    const { counts } = await posthorn.start({ repeatWindow: 3 });
    await posthorn.event({ id: 'a' });
    await posthorn.events(3);
    await posthorn.event({ id: 'a' });
    await posthorn.time.settle();
    expect(counts).toMatchObject({ dispatched: 4, repeats: 1 });
  });
});

describe('what is wrong', () => {
  it.each([
    ['malformed', { value: null }],
    ['malformed', { headers: { 'content-type': 'application/cloudevents+json' } }],
    ['malformed', { headers: { 'content-type': 'application/json' }, value: Buffer.from('{') }],
    ['invalid-attribute', { headers: { ce_source: '' } }],
    ['invalid-attribute', { headers: { ce_specversion: '0.3' } }],
    ['unsupported-content-type', { headers: { 'content-type': 'text/plain' } }],
    [
      'unknown-event-type',
      { headers: { 'content-type': 'application/json', ce_type: 'no.such' }, value: Buffer.from('{}') },
    ],
    ['schema-mismatch', { headers: { ce_type: 'comment.added' } }],
    ['schema-mismatch', { value: Buffer.of(0, 0, 0, 9, 9, 1) }],
    ['invalid-data', { value: Buffer.of(0, 0, 0, 0, taskUpdatedId, 200) }],
    ['invalid-data', { headers: { 'content-type': 'application/json' }, value: Buffer.from('{"title":1}') }],
    ['unknown-tenant', { tenant: 'nobody' }],
    ['too-large', { value: Buffer.alloc(300_000) }],
  ])('goes to the rejected with the reason %s', async (reason, event) => {
    await posthorn.endpoint('ep_1');
    const { counts, dispatcher } = await posthorn.start();
    await posthorn.event({ id: 'bad', partition: 1, ...event });
    await posthorn.event({ id: 'good', partition: 1 });
    await posthorn.time.settle();
    const [sent] = posthorn.log.recordsOf(topics.events);
    const [rejected, ...others] = posthorn.rejected();
    expect(others).toEqual([]);
    expect(rejected).toMatchObject({ key: sent?.key, partition: 1 });
    expect(rejected?.value === null ? null : rejected?.value.equals(sent?.value ?? Buffer.of())).toBe(
      sent?.value === null ? null : true,
    );
    expect(rejected?.headers).toMatchObject(sent?.headers ?? {});
    expect(
      Object.fromEntries(Object.entries(rejected?.headers ?? {}).map(([k, v]) => [k, v.toString()])),
    ).toMatchObject({
      'posthorn-reason': reason,
      'posthorn-detail': expect.stringMatching(/./),
      'posthorn-source-partition': '1',
      'posthorn-source-offset': '0',
    });
    expect(counts.rejected).toEqual([reason]);
    expect(posthorn.deliveries().map(({ eventId }) => eventId)).toEqual(['good']);
    expect(() => dispatcher.check()).not.toThrow();
  });

  it('names the missing attribute', async () => {
    const { counts } = await posthorn.start();
    await posthorn.append(topics.events, 0, 'acme', posthorn.avro('x'), { 'content-type': 'application/avro' });
    await posthorn.append(topics.events, 0, null, posthorn.avro('x'), {
      'content-type': 'application/avro',
      ce_specversion: '1.0',
      ce_id: '1',
      ce_source: '/s',
      ce_type: 'task.updated',
    });
    await posthorn.time.settle();
    expect(counts.rejected).toEqual(['missing-attribute', 'missing-attribute']);
    const details = posthorn.rejected().map(({ headers }) => headers['posthorn-detail']?.toString());
    expect(details).toEqual([expect.stringContaining('ce_id: id is required'), expect.stringContaining('tenantid')]);
  });

  it('is rejected without its value where a copy would not fit', async () => {
    await posthorn.start({ maxRecordBytes: 2_000, maxEventBytes: 1_000 });
    await posthorn.event({ value: Buffer.alloc(1_990) });
    await posthorn.event({ headers: { ce_long: 'x'.repeat(3_000) } });
    await posthorn.time.settle();
    const omitted = posthorn.rejected().map(({ value, headers }) => [value, headers['posthorn-omitted']?.toString()]);
    expect(omitted).toEqual([
      [null, 'value'],
      [null, 'key, value, headers'],
    ]);
  });

  it('is not an event whose deliveries would not fit into a record: they are given up in their order', async () => {
    await posthorn.endpoint('ep_1');
    const { counts } = await posthorn.start({ maxRecordBytes: 2_000 });
    await posthorn.event({ headers: { ce_long: 'x'.repeat(1_500) } });
    await posthorn.time.settle();
    expect(counts).toMatchObject({ rejected: [], dispatched: 1 });
    expect(posthorn.deliveries()).toMatchObject([
      { body: null, renderKind: 'too-large', renderError: expect.stringMatching(/would have \d+ bytes; at most 976/) },
    ]);
  });

  it('is not a registry that is away: the event waits', async () => {
    await posthorn.endpoint('ep_1');
    const { dispatcher } = await posthorn.start();
    posthorn.registry.available = false;
    await posthorn.event();
    await posthorn.time.advance(3_000);
    expect(posthorn.deliveries()).toEqual([]);
    expect(posthorn.rejected()).toEqual([]);
    expect(() => dispatcher.check()).toThrow('events cannot be decoded yet');
    posthorn.registry.available = true;
    await posthorn.time.advance(6_000);
    expect(posthorn.deliveries()).toHaveLength(1);
    expect(() => dispatcher.check()).not.toThrow();
  });
});

describe('a tenant that is not known yet', () => {
  it('is waited for while the event is young', async () => {
    const { counts } = await posthorn.start({ tenantGraceMs: 2_000 });
    await posthorn.event({ tenant: 'new' });
    await posthorn.time.advance(1_000);
    await posthorn.tenant('new');
    await posthorn.endpoint('ep_new', { tenantId: 'new' });
    await posthorn.time.advance(100);
    expect(counts).toMatchObject({ rejected: [], dispatched: 1 });
  });

  it('holds nobody up again when it did not come', async () => {
    const { counts } = await posthorn.start({ tenantGraceMs: 2_000 });
    await posthorn.event({ tenant: 'nobody' });
    await posthorn.time.advance(2_100);
    expect(counts.rejected).toEqual(['unknown-tenant']);
    await posthorn.event({ tenant: 'nobody' });
    await posthorn.time.settle();
    expect(counts.rejected).toEqual(['unknown-tenant', 'unknown-tenant']);
  });
});
