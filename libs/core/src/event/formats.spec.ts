import { HTTP, type CloudEvent } from 'cloudevents';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonValue } from './cloud-event.js';
import { attributesOf, drawnData, drawnEvent, type DrawnEvent } from './drawn-events.fixture.js';
import { batchBodyType, renderEvent, type DeliveryFormat } from './formats.js';
import { decodeHeaderValue, parseHttpEvents } from './http-binding.js';

const limits = { maxBytes: 262_144 };
const render = (format: DeliveryFormat, event: DrawnEvent, json: JsonValue) =>
  renderEvent(format, event, JSON.stringify(json), 1_772_366_400_000);

const httpOf = ({ contentType, headers, body }: ReturnType<typeof renderEvent>) => ({
  headers: { 'content-type': contentType, ...headers },
  body,
});

describe.each(['structured', 'binary'] as const)('CloudEvents %s', (format) => {
  it('is read back as it was, with any extensions, by our own ingest', () => {
    fc.assert(
      fc.property(drawnEvent, drawnData, (event, json) => {
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
      fc.property(drawnEvent, drawnData, (event, json) => {
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
        // And what it sends is the same to our ingest: encoded values stay encoded, as they are ASCII.
        const back = format === 'binary' ? HTTP.binary(read) : HTTP.structured(read);
        const sent = Object.entries(back.headers).map(([name, value]) => [name.toLowerCase(), String(value)]);
        const parsed = parseHttpEvents(Object.fromEntries(sent), Buffer.from(String(back.body)), limits);
        if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults));
        const { data: again, datacontenttype: __, time, ...others } = parsed.events[0]!;
        expect(again).toEqual({ kind: 'json', value: json });
        expect(attributesOf({ ...others, time: event.time && time })).toEqual(attributesOf(event));
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
