import { HTTP, type CloudEvent } from 'cloudevents';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EventEnvelope, JsonValue } from './cloud-event.js';
import { batchBodyType, renderEvent, type DeliveryFormat } from './formats.js';
import { decodeHeaderValue, parseHttpEvents } from './http-binding.js';

const limits = { maxBytes: 262_144 };
const plain = fc
  .string({ minLength: 1, maxLength: 12, unit: 'grapheme' })
  .filter((s) => !/[\p{Cc}\p{Cn}\p{Cs}]/u.test(s));
const known = new Set(
  'id source type specversion time subject tenantid partitionkey data datacontenttype dataschema'.split(' '),
);
const extensionName = fc.stringMatching(/^[a-z][a-z0-9]{0,19}$/).filter((name) => !known.has(name));
const extension = fc.oneof(plain, fc.integer({ min: -2_147_483_648, max: 2_147_483_647 }), fc.boolean());
const time = fc
  .date({ min: new Date(0), max: new Date('9999-01-01T00:00:00Z'), noInvalidDate: true })
  .map((date) => date.toISOString());
const envelope = fc.record({
  id: plain,
  source: fc.constantFrom('/services/tasks', 'urn:posthorn:test', 'https://example.com/a?b=c#d'),
  type: fc.constantFrom('task.updated', 'comment.added'),
  time: fc.option(time, { nil: undefined }),
  subject: fc.option(plain, { nil: undefined }),
  tenantid: fc.option(plain, { nil: undefined }),
  partitionkey: fc.option(plain, { nil: undefined }),
  dataschema: fc.option(fc.constant('https://example.com/schemas/1'), { nil: undefined }),
  extensions: fc.dictionary(extensionName, extension, { maxKeys: 5, noNullPrototype: true }),
});
/** As JSON text has it: no -0. */
const data = fc
  .dictionary(plain, fc.jsonValue({ maxDepth: 2 }), { maxKeys: 4, noNullPrototype: true })
  .map((value) => JSON.parse(JSON.stringify(value)) as Record<string, JsonValue>);

type Drawn = Omit<EventEnvelope, 'data'>;

/** Every attribute as the text that CloudEvents §3.1 gives it. */
function attributesOf({ extensions, ...own }: Drawn): Record<string, string> {
  const all = { specversion: '1.0', ...own, ...extensions };
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
  );
}

const render = (format: DeliveryFormat, event: Drawn, json: JsonValue) =>
  renderEvent(format, event, JSON.stringify(json), 1_772_366_400_000);

const httpOf = ({ contentType, headers, body }: ReturnType<typeof renderEvent>) => ({
  headers: { 'content-type': contentType, ...headers },
  body,
});

describe.each(['structured', 'binary'] as const)('CloudEvents %s', (format) => {
  it('is read back as it was, with any extensions, by our own ingest', () => {
    fc.assert(
      fc.property(envelope, data, (event, json) => {
        const { headers, body } = httpOf(render(format, event, json));
        const parsed = parseHttpEvents(headers, body, limits);
        if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults));
        const { data: read, datacontenttype, ...attributes } = parsed.events[0]!;
        expect(read).toEqual({ kind: 'json', value: json });
        expect(datacontenttype).toBe('application/json');
        expect(attributesOf(attributes)).toEqual(attributesOf(event));
      }),
    );
  });

  it('is read by the CloudEvents SDK for JavaScript', () => {
    fc.assert(
      fc.property(envelope, data, (event, json) => {
        const { headers, body } = httpOf(render(format, event, json));
        const message = { headers, body: body.toString('utf8') };
        expect(HTTP.isEvent(message)).toBe(true);
        const read = HTTP.toEvent<JsonValue>(message) as CloudEvent<JsonValue>;
        expect(read.data).toEqual(json);
        const {
          data: _,
          datacontenttype,
          ...attributes
        } = read.toJSON() as Record<string, string | number | boolean | undefined>;
        expect(datacontenttype).toBe('application/json');
        const texts = Object.entries(attributes).flatMap(([name, value]) =>
          // That SDK makes up a time where there is none, and leaves the percent-encoding of headers to whoever uses it.
          value === undefined || (name === 'time' && event.time === undefined)
            ? []
            : [[name, format === 'binary' ? decodeHeaderValue(String(value)) : String(value)]],
        );
        expect(Object.fromEntries(texts)).toEqual(attributesOf(event));
      }),
    );
  });
});

it('percent-encodes what headers cannot hold (HTTP binding §3.1.3.2)', () => {
  const event = { id: '1', source: '/s', type: 'a.b', subject: 'Euro € 😀', extensions: { quoted: '"50%"' } };
  expect(render('binary', event, {}).headers).toMatchObject({
    'ce-subject': 'Euro%20%E2%82%AC%20%F0%9F%98%80',
    'ce-quoted': '%2250%25%22',
  });
});

it('makes the payload of Standard Webhooks: type, timestamp and data, and nothing else', () => {
  const event = { id: '1', source: '/s', type: 'task.updated', time: '2026-01-02T03:04:05Z', extensions: {} };
  const made = render('standard', event, { a: [1] });
  expect(made).toMatchObject({ contentType: 'application/json', headers: {} });
  expect(made.body.toString()).toBe('{"type":"task.updated","timestamp":"2026-01-02T03:04:05Z","data":{"a":[1]}}');
});

it('gives an event without a time the one at which it was accepted', () => {
  const { body } = render('standard', { id: '1', source: '/s', type: 'a.b', extensions: {} }, null);
  expect(JSON.parse(body.toString())).toEqual({ type: 'a.b', timestamp: '2026-03-01T12:00:00.000Z', data: null });
});

it('makes the bare data', () => {
  const made = render('data', { id: '1', source: '/s', type: 'a.b', extensions: { x: '1' } }, { a: '€' });
  expect(made).toEqual({ contentType: 'application/json', headers: {}, body: Buffer.from('{"a":"€"}') });
});

it('names a batch after the form of its members', () => {
  const event = { id: '1', source: '/s', type: 'a.b', extensions: {} };
  const types = (['structured', 'standard', 'data'] as const).map((one) =>
    batchBodyType(render(one, event, 1).contentType),
  );
  expect(types).toEqual(['application/cloudevents-batch+json; charset=utf-8', 'application/json', 'application/json']);
});
