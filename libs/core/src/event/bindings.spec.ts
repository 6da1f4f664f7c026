import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tenantOf, type EventEnvelope, type JsonValue, type ParsedEvent } from './cloud-event.js';
import { decodeHeaderValue, encodeHeaderValue, parseHttpEvents } from './http-binding.js';
import { isOfAnotherTenant, parseKafkaEvent, toKafkaRecord } from './kafka-binding.js';
import { parseStructuredJson, renderStructuredJson } from './structured-json.js';

const limits = { maxBytes: 262_144 };
const framed = Buffer.from([0, 0, 0, 0, 7, 1, 2, 3]);

const text = fc
  .string({ minLength: 1, maxLength: 8, unit: 'grapheme' })
  .filter(
    (s) =>
      !Array.from(s).some((c) => c.codePointAt(0)! < 0x20 || (c.codePointAt(0)! >= 0x7f && c.codePointAt(0)! <= 0x9f)),
  );
const uri = fc.constantFrom('/services/tasks', 'urn:posthorn:test', 'https://example.com/a?b=c#d', 'x');
const type = fc.stringMatching(/^[a-z]{1,6}(\.[a-zA-Z0-9_]{1,6}){0,2}$/);
const time = fc
  .date({ min: new Date(0), max: new Date('9999-01-01T00:00:00Z'), noInvalidDate: true })
  .map((d) => d.toISOString());
const extensionName = fc
  .stringMatching(/^[a-z][a-z0-9]{0,19}$/)
  .filter(
    (n) =>
      ![
        'data',
        'id',
        'source',
        'type',
        'specversion',
        'time',
        'subject',
        'tenantid',
        'partitionkey',
        'datacontenttype',
        'dataschema',
      ].includes(n),
  );
const attributes = fc.record({
  id: text,
  source: uri,
  type,
  time: fc.option(time, { nil: undefined }),
  subject: fc.option(text, { nil: undefined }),
  tenantid: fc.option(text, { nil: undefined }),
  partitionkey: fc.option(text, { nil: undefined }),
  dataschema: fc.option(uri, { nil: undefined }),
  extensions: fc.dictionary(extensionName, text, { maxKeys: 4, noNullPrototype: true }),
});
const bufferHeaders = (headers: Record<string, string>): Record<string, Buffer> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Buffer.from(value, 'utf8')]));
const eventOf = (parsed: ParsedEvent): EventEnvelope => {
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults));
  return parsed.event;
};
const faultsOf = (parsed: { ok: true } | { ok: false; faults: readonly object[] }): readonly object[] =>
  parsed.ok ? [] : parsed.faults;

describe('Kafka binding', () => {
  it('by a look takes no event of a tenant for another’s, in whatever mode, and knows most of the others’', () => {
    const contentType = fc.constantFrom(
      'application/avro',
      'application/json',
      'application/json; charset=utf-8',
      'application/cloudevents+json',
      'text/plain',
      null,
    );
    const tenant = fc.constantFrom('acme', 'other', 'ümlaut', '', null);
    fc.assert(
      fc.property(contentType, tenant, tenant, fc.constantFrom('acme', 'ümlaut'), (kind, named, key, wanted) => {
        const { headers } = toKafkaRecord(
          { id: '1', source: '/s', type: 't.t', ...(named === null ? {} : { tenantid: named }), extensions: {} },
          framed,
        );
        delete headers['content-type'];
        if (kind !== null) headers['content-type'] = kind;
        const structured = {
          specversion: '1.0',
          id: '1',
          source: '/s',
          type: 't.t',
          data: 1,
          tenantid: named ?? undefined,
        };
        const value = kind === 'application/avro' ? framed : Buffer.from(JSON.stringify(structured));
        const record = { key: key === null ? null : Buffer.from(key), value, headers: bufferHeaders(headers) };
        const parsed = parseKafkaEvent(record, limits);
        const isOfIt = parsed.ok && tenantOf(parsed.event, record.key) === wanted;
        const isAnothers = isOfAnotherTenant(record, Buffer.from(wanted));
        if (isOfIt) expect(isAnothers).toBe(false);
        else if (kind === 'application/avro' || kind === 'application/json') expect(isAnothers).toBe(true);
      }),
    );
  });

  it('reads in binary mode what it writes', () => {
    fc.assert(
      fc.property(attributes, (event) => {
        const record = toKafkaRecord(event, framed);
        expect(
          eventOf(parseKafkaEvent({ value: record.value, headers: bufferHeaders(record.headers) }, limits)),
        ).toEqual({
          ...event,
          datacontenttype: 'application/avro',
          data: { kind: 'avro', bytes: framed },
        });
      }),
    );
  });

  it('never throws, whatever the bytes', () => {
    const headers = fc.dictionary(
      fc.constantFrom('ce_id', 'ce_source', 'ce_type', 'ce_specversion', 'ce_time', 'ce_X', 'content-type', 'other'),
      fc.oneof(
        fc.uint8Array({ maxLength: 8 }),
        fc.constantFrom('1.0', 'a.b', 'application/json').map((s) => Buffer.from(s)),
      ),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), headers, (value, given) => {
        const bytes = Object.fromEntries(Object.entries(given).map(([name, v]) => [name, Buffer.from(v)]));
        const parsed = parseKafkaEvent({ value: Buffer.from(value), headers: bytes }, limits);
        expect(parsed.ok || parsed.faults.length > 0).toBe(true);
      }),
    );
  });

  const minimal = { ce_specversion: '1.0', ce_id: '1', ce_source: '/s', ce_type: 'task.updated' };
  const parse = (headers: Record<string, string>, value: string | Buffer | null = '{}') =>
    parseKafkaEvent(
      { value: typeof value === 'string' ? Buffer.from(value) : value, headers: bufferHeaders(headers) },
      limits,
    );

  it('takes JSON data of any JSON media type in UTF-8', () => {
    for (const contentType of ['application/json', 'Application/JSON; charset=UTF-8', 'application/vnd.x+json'])
      expect(eventOf(parse({ ...minimal, 'content-type': contentType }, '{"a":[1]}')).data).toEqual({
        kind: 'json',
        value: { a: [1] },
      });
  });

  it('takes structured JSON, with JSON data and with Avro as base64', () => {
    const header = { 'content-type': 'application/cloudevents+json; charset=UTF-8' };
    const event = { specversion: '1.0', id: '1', source: '/s', type: 'a.b', num: 5, flag: true, subject: null };
    expect(eventOf(parse(header, JSON.stringify({ ...event, data: { x: 1 } })))).toMatchObject({
      id: '1',
      extensions: { num: 5, flag: true },
      data: { kind: 'json', value: { x: 1 } },
    });
    const avro = { ...event, datacontenttype: 'application/avro', data_base64: framed.toString('base64') };
    expect(eventOf(parse(header, JSON.stringify(avro))).data).toEqual({ kind: 'avro', bytes: framed });
  });

  it.each<[string, ParsedEvent, object[]]>([
    ['a tombstone', parse({ ...minimal, 'content-type': 'application/json' }, null), [{ code: 'malformed' }]],
    ['no content type', parse(minimal), [{ code: 'unsupported-content-type', header: 'content-type' }]],
    ['a text', parse({ ...minimal, 'content-type': 'text/plain' }), [{ code: 'unsupported-content-type' }]],
    [
      'another charset',
      parse({ ...minimal, 'content-type': 'application/json;charset=latin1' }),
      [{ code: 'unsupported-content-type' }],
    ],
    [
      'a batch',
      parse({ ...minimal, 'content-type': 'application/cloudevents-batch+json' }, '[]'),
      [{ code: 'unsupported-content-type' }],
    ],
    [
      'broken JSON',
      parse({ ...minimal, 'content-type': 'application/json' }, '{'),
      [{ code: 'malformed', pointer: '' }],
    ],
    [
      'JSON in broken UTF-8',
      parse({ ...minimal, 'content-type': 'application/json' }, Buffer.from([0x22, 0xff, 0x22])),
      [{ code: 'malformed' }],
    ],
    [
      'a number as structured event',
      parse({ 'content-type': 'application/cloudevents+json' }, '5'),
      [{ code: 'malformed', pointer: '' }],
    ],
    [
      'too many bytes',
      parse({ ...minimal, 'content-type': 'application/json' }, `"${'x'.repeat(262_144)}"`),
      [{ code: 'too-large' }],
    ],
    [
      'several faults at once',
      parse({
        'content-type': 'application/json',
        ce_specversion: '0.3',
        ce_type: 'a..b',
        ce_time: 'now',
        ce_id: '',
        ce_Bad: 'x',
      }),
      [
        { code: 'invalid-attribute', header: 'ce_specversion' },
        { code: 'invalid-attribute', header: 'ce_type' },
        { code: 'invalid-attribute', header: 'ce_time' },
        { code: 'invalid-attribute', header: 'ce_id' },
        { code: 'invalid-attribute', header: 'ce_Bad' },
        { code: 'missing-attribute', header: 'ce_source' },
      ],
    ],
  ])('refuses %s', (_, parsed, faults) => {
    expect(faultsOf(parsed)).toHaveLength(faults.length);
    expect(faultsOf(parsed)).toMatchObject(faults);
  });

  it('counts headers into the size, and keeps a replacement character that was sent as such', () => {
    const headers = { ...minimal, 'content-type': 'application/json', ce_note: 'x'.repeat(262_140) };
    expect(faultsOf(parse(headers))).toMatchObject([{ code: 'too-large' }]);
    expect(eventOf(parse({ ...minimal, 'content-type': 'application/json', ce_subject: '\ufffd' })).subject).toBe(
      '\ufffd',
    );
    const broken = parseKafkaEvent(
      {
        value: Buffer.from('{}'),
        headers: {
          ...bufferHeaders({ ...minimal, 'content-type': 'application/json' }),
          ce_subject: Buffer.from([0xc3]),
        },
      },
      limits,
    );
    expect(faultsOf(broken)).toMatchObject([{ code: 'invalid-attribute', header: 'ce_subject' }]);
  });
});

describe('structured JSON', () => {
  it('reads what it renders', () => {
    fc.assert(
      fc.property(attributes, fc.jsonValue({ noUnicodeString: false }), (event, data) => {
        const json = JSON.stringify(data);
        const body = renderStructuredJson(event, json);
        expect(eventOf(parseStructuredJson(body))).toEqual({
          ...event,
          datacontenttype: 'application/json',
          data: { kind: 'json', value: JSON.parse(json) as JsonValue },
        });
      }),
    );
  });
});

describe('HTTP binding', () => {
  const event = { specversion: '1.0', id: '1', source: '/s', type: 'a.b', data: { x: 1 } };
  const post = (contentType: string | undefined, body: unknown, headers: Record<string, string> = {}) =>
    parseHttpEvents(
      { ...(contentType === undefined ? {} : { 'content-type': contentType }), ...headers },
      Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body)),
      limits,
    );
  const ce = { 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': '/s', 'ce-type': 'a.b' };

  it('tells the three modes apart by content type, the batch first', () => {
    expect(post('application/cloudevents+json; charset=UTF-8', event)).toMatchObject({ ok: true, mode: 'structured' });
    expect(post('application/cloudevents-batch+json', [event, event])).toMatchObject({
      ok: true,
      mode: 'batched',
      events: [{}, {}],
    });
    expect(post('application/cloudevents-batch+json', [])).toEqual({ ok: true, mode: 'batched', events: [] });
    expect(post('application/json', { x: 1 }, ce)).toMatchObject({
      ok: true,
      mode: 'binary',
      events: [{ data: { kind: 'json' } }],
    });
    expect(post('application/avro', framed, ce)).toMatchObject({
      ok: true,
      events: [{ data: { kind: 'avro', bytes: framed } }],
    });
  });

  it.each<[string, ReturnType<typeof post>, object[]]>([
    [
      'JSON without ce- headers',
      post('application/json', event),
      [{ code: 'unsupported-content-type', header: 'content-type' }],
    ],
    ['the Avro format', post('application/cloudevents+avro', event, ce), [{ code: 'unsupported-content-type' }]],
    ['a text', post('text/plain', event, ce), [{ code: 'unsupported-content-type' }]],
    ['a batch that is none', post('application/cloudevents-batch+json', event), [{ code: 'malformed', pointer: '' }]],
    [
      'one bad event of a batch',
      post('application/cloudevents-batch+json', [event, { ...event, id: '' }, 5]),
      [
        { code: 'invalid-attribute', pointer: '/1/id' },
        { code: 'malformed', pointer: '/2' },
      ],
    ],
    [
      'one large event of a batch',
      post('application/cloudevents-batch+json', [event, { ...event, data: 'x'.repeat(262_144) }]),
      [{ code: 'too-large', pointer: '/1' }],
    ],
    [
      'a large event',
      post('application/cloudevents+json', { ...event, data: 'x'.repeat(262_144) }),
      [{ code: 'too-large' }],
    ],
    [
      'a missing attribute',
      post('application/json', {}, { 'ce-id': '1', 'ce-source': 's', 'ce-type': 't' }),
      [{ code: 'missing-attribute', header: 'ce-specversion' }],
    ],
    [
      'a fractional extension',
      post('application/cloudevents+json', { ...event, share: 0.5, big: 2 ** 31 }),
      [{ code: 'invalid-attribute', pointer: '/share' }, { pointer: '/big' }],
    ],
    [
      'a bad name',
      post('application/cloudevents+json', { ...event, 'a/b': 'x' }),
      [{ code: 'invalid-attribute', pointer: '/a~1b' }],
    ],
    [
      'overlong UTF-8',
      post('application/json', {}, { ...ce, 'ce-subject': '%C0%A0' }),
      [{ code: 'invalid-attribute', header: 'ce-subject' }],
    ],
    [
      'data twice',
      post('application/cloudevents+json', { ...event, data_base64: 'e30=' }),
      [{ code: 'malformed', pointer: '/data_base64' }],
    ],
    [
      'bad base64',
      post('application/cloudevents+json', { ...event, data: null, data_base64: 'e30' }),
      [{ code: 'malformed' }],
    ],
    [
      'a body for datacontenttype',
      post('application/json', {}, { ...ce, 'ce-datacontenttype': 'a/b' }),
      [{ code: 'invalid-attribute' }],
    ],
  ])('refuses %s', (_, parsed, faults) => {
    expect(faultsOf(parsed)).toHaveLength(faults.length);
    expect(faultsOf(parsed)).toMatchObject(faults);
  });

  it('does not fall over what is nested deep', () => {
    const deep = `[{"specversion":"1.0","id":"1","source":"/s","type":"a.b","data":${'['.repeat(200_000)}${']'.repeat(200_000)}}]`;
    expect(faultsOf(post('application/cloudevents-batch+json', Buffer.from(deep)))).toMatchObject([
      { code: 'malformed', kind: 'too-deep' },
    ]);
  });

  const ambiguous = '{"a":{"b":1,"b":2}}';
  it.each([
    [
      'structured',
      post('application/cloudevents+json', Buffer.from(`{"specversion":"1.0","data":${ambiguous}}`)),
      { code: 'malformed', kind: 'duplicate-name', pointer: '/data/a/b' },
    ],
    [
      'batched',
      post('application/cloudevents-batch+json', Buffer.from('[{},{"id":"a","__proto__":{"id":"b"}}]')),
      { code: 'malformed', kind: 'forbidden-name', pointer: '/1/__proto__' },
    ],
    [
      'binary',
      post('application/json', Buffer.from('{"n":[1,9007199254740993]}'), ce),
      { code: 'malformed', kind: 'number-too-large', pointer: '/n/1' },
    ],
    [
      'base64',
      post('application/cloudevents+json', { ...event, data: undefined, data_base64: btoa(ambiguous) }),
      { code: 'malformed', pointer: '/data_base64', detail: '/a/b The object has this name twice.' },
    ],
  ])('refuses JSON that readers would read differently, and says where: %s', (_, parsed, fault) => {
    expect(faultsOf(parsed)).toMatchObject([fault]);
  });

  it('takes data_base64 with JSON in it, and data that is absent', () => {
    const { data: _, ...bare } = event;
    expect(post('application/cloudevents+json', { ...bare, data_base64: 'eyJhIjoxfQ==' })).toMatchObject({
      events: [{ data: { kind: 'json', value: { a: 1 } } }],
    });
    expect(post('application/cloudevents+json', bare)).toMatchObject({
      events: [{ data: { kind: 'json', value: null } }],
    });
    expect(post(undefined, Buffer.alloc(0), ce)).toMatchObject({ events: [{ data: { kind: 'json', value: null } }] });
  });

  it('percent-encodes header values as specified', () => {
    expect(encodeHeaderValue('Euro € 😀')).toBe('Euro%20%E2%82%AC%20%F0%9F%98%80');
    expect(decodeHeaderValue('Euro%20%E2%82%AC%20%F0%9F%98%80')).toBe('Euro € 😀');
    expect(decodeHeaderValue('Euro%20%e2%82%ac')).toBe('Euro €');
    expect(decodeHeaderValue('%41%62c')).toBe('Abc');
    expect(decodeHeaderValue('%2541')).toBe('%41');
    expect(decodeHeaderValue('"a \\"b\\" c"')).toBe('a "b" c');
    expect(decodeHeaderValue('100%')).toBe('100%');
    expect(decodeHeaderValue('%C0%A0')).toBeNull();
    expect(decodeHeaderValue('%ED%A0%80')).toBeNull();
    expect(encodeHeaderValue('"%~')).toBe('%22%25~');
  });

  it('decodes every header value that it encodes, which are visible ASCII', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }).filter((s) => s.isWellFormed()),
        (value) => {
          const encoded = encodeHeaderValue(value);
          expect(encoded).toMatch(/^[\x21-\x7e]*$/);
          expect(decodeHeaderValue(encoded)).toBe(value);
        },
      ),
    );
  });
});
