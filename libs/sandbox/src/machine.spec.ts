// Real: QuickJS in WebAssembly. In this thread: what only ending a thread can stop is in sandbox.int-spec.ts.
import { describe, expect, it } from 'vitest';
import { Machine } from './machine.js';
import { envelopeOf, event, handler, headers, PatientMachine, runOn } from './machine.fixture.js';
import { sandboxLimits } from './sandbox-job.js';

const patient = new PatientMachine();

describe('a handler', () => {
  it('is given the event, and changes payload and headers', async () => {
    const code = handler(`
      webhook.payload = { ...webhook.payload, ...webhook.event, of: [webhook.eventType, webhook.eventId, webhook.cancel] };
      webhook.headers['X-Source'] = webhook.event.source;
      return webhook;`);
    const answer = await patient.run(code, '{"n":1.5,"text":"ä€😀","none":null}');
    expect(answer).toEqual({
      kind: 'done',
      payload: JSON.stringify({ n: 1.5, text: 'ä€😀', none: null, ...event, of: ['task.created', 'e-1', false] }),
      headers: { 'content-type': 'application/json', 'x-source': '/tasks' },
      cancelled: false,
      logs: [],
    });
  });

  it.each([
    ['nothing: the webhook as it was changed', 'webhook.payload.id = 2;', { id: 2 }],
    ['the webhook', 'webhook.payload.id = 2; return webhook', { id: 2 }],
    ['another object: what it lacks is as it was given', 'return { payload: [1] }', [1]],
    ['one without a payload', 'webhook.payload.id = 3; return { headers: {} }', { id: 3 }],
    ['a payload that is null', 'return { payload: null }', null],
    ['a payload that is a text', `return { payload: 'hi' }`, 'hi'],
    ['a class, with toJSON', 'return { payload: new Date(0) }', '1970-01-01T00:00:00.000Z'],
  ])('may return %s', async (_what, body, payload) => {
    expect(await patient.payloadOf(handler(body))).toEqual(payload);
  });

  it('may be a constant, and may take time to set up what it needs outside of itself', async () => {
    const code = `const names = new Map([[1, 'one']]); const handler = ({ payload }) => ({ payload: names.get(payload.id) })`;
    expect(await patient.payloadOf(code)).toBe('one');
  });

  it('cancels the delivery', async () => {
    const cancelled = { kind: 'done', payload: 'null', headers: {}, cancelled: true, logs: [] };
    expect(await patient.run(handler('webhook.cancel = true; webhook.payload = undefined'))).toEqual(cancelled);
    expect(await patient.run(handler('return { cancel: true, headers: { host: "x" } }'))).toEqual(cancelled);
  });

  it('removes a header by deleting it or setting it to undefined', async () => {
    expect(await patient.run(handler(`delete webhook.headers['content-type']`))).toMatchObject({ headers: {} });
    expect(await patient.run(handler(`webhook.headers['content-type'] = undefined`))).toMatchObject({ headers: {} });
  });

  it('cannot change the event', async () => {
    expect(await patient.payloadOf(handler('webhook.event.id = "x"; return { payload: webhook.event.id }'))).toBe(
      'e-1',
    );
    expect(await patient.failureOf(`'use strict'; ${handler('webhook.event.id = "x"')}`)).toMatchObject({
      code: 'threw',
    });
  });

  it('writes a log that is bounded', async () => {
    const code = handler(`
      console.log('one', 2, { three: [3] }, null, undefined, Symbol('s'));
      const ring = {}; ring.ring = ring; console.error(ring);
      console.warn({ toJSON() { throw 1 } });`);
    expect(await patient.run(code)).toMatchObject({
      logs: ['one 2 {"three":[3]} null undefined Symbol(s)', '[cannot be shown]', '[cannot be shown]'],
    });
    const flood = await patient.run(handler(`for (let i = 0; i < 1000; i += 1) console.log(i)`));
    expect(flood.logs).toHaveLength(sandboxLimits.logLines);
    const long = await patient.run(handler(`console.log('x'.repeat(100000)); console.log('y')`));
    expect(long.logs.map(({ length }) => length)).toEqual([sandboxLimits.logChars]);
  });

  it('has a log also when it fails', async () => {
    expect(await patient.failureOf(handler('console.log("here"); null.x'))).toMatchObject({
      code: 'threw',
      logs: ['here'],
    });
  });
});

describe('a failure names its place', () => {
  it.each([
    ['threw', `\n\n${handler('\nthrow new TypeError("boo")')}`, 'TypeError: boo', 4],
    ['threw', `\n${handler('\n\nwebhook.payload.none.x')}`, "TypeError: cannot read property 'x' of undefined", 4],
    ['threw', handler('\n"a".repeat(-1)'), 'RangeError: invalid repeat count', 2],
    ['threw', 'const a = 1;\nthrow new Error("outside")', 'Error: outside', 2],
    ['syntax', '\nfunction handler( {', 'SyntaxError: invalid property name', 2],
    ['syntax', '\n\nimport x from "y"', "SyntaxError: expecting '('", 3],
    ['syntax', 'export default function handler() {}', 'SyntaxError: unsupported keyword: export', 1],
  ])('%s', async (code, text, message, line) => {
    expect(await patient.failureOf(text)).toEqual({ kind: 'failed', code, message, line, logs: [] });
  });

  it.each([
    ['no-handler', 'const other = 1', 'there is no function named handler'],
    ['no-handler', 'var handler = 7', 'there is no function named handler'],
    ['threw', handler('throw "text"'), 'threw text'],
    ['threw', handler('throw { a: 1 }'), 'threw {"a":1}'],
    ['threw', handler('throw undefined'), 'threw undefined'],
    ['threw', handler('throw Symbol("s")'), 'threw Symbol(s)'],
    ['threw', handler('throw 12n'), 'threw 12'],
    ['invalid-result', handler('return 1'), 'handler must return the webhook, an object'],
    ['invalid-result', handler('return null'), 'handler must return the webhook, an object'],
    ['invalid-result', handler('return []'), 'handler must return the webhook, an object'],
    ['invalid-result', handler('return webhook.handler = () => 1'), 'handler must return the webhook, an object'],
    ['invalid-result', handler('webhook.cancel = 1'), 'cancel must be true or false'],
    ['invalid-result', handler('webhook.headers = []'), 'headers must be an object'],
    ['invalid-result', handler('webhook.headers.a = 1'), 'headers: the value of "a" must be a string'],
    ['invalid-result', handler('webhook.headers[Symbol()] = "x"'), 'headers has a name that is a symbol'],
  ])('or says what it is: %s %s', async (code, text, message) => {
    expect(await patient.failureOf(text)).toEqual({ kind: 'failed', code, message, logs: [] });
  });
});

describe('nothing outlives a run', () => {
  it('neither in globals, nor in what was set up, nor in built-ins, after whatever end', async () => {
    const code = `
      let runs = 0; const seen = []; var shared = new Uint8Array(300000);
      ${handler(`
        runs += 1; seen.push(webhook.eventId); shared[299999] += 1; globalThis.left = (globalThis.left ?? 0) + 1;
        Array.prototype.mark = (Array.prototype.mark ?? 0) + 1;
        const payload = [runs, seen.length, shared[299999], left, [].mark];
        if (webhook.payload === 'loop') for (;;);
        if (webhook.payload === 'fill') { shared.fill(7); const all = []; for (;;) all.push('x'.repeat(1000) + all.length) }
        JSON.parse = JSON.stringify = null; handler = null; webhook.constructor.prototype.evil = 1;
        return { payload };`)}`;
    const one = await Machine.start(sandboxLimits);
    const loaded = one.load(code);
    if (loaded.kind !== 'loaded') throw new Error(loaded.message);
    for (const payload of ['"a"', '"a"', '"loop"', '"a"', '"fill"', '"a"']) {
      const answer = one.run(loaded.image, envelopeOf(), payload);
      if (payload === '"a"') expect(answer).toMatchObject({ kind: 'done', payload: '[1,1,1,1,1]' });
      else expect(answer.kind).toBe('failed');
    }
  });

  it('and a run that needs nearly all of its memory leaves what others have loaded as it is', async () => {
    const one = await Machine.start({ ...sandboxLimits, runMs: 30_000 });
    const small = one.load(`const table = [1, 2, 3]; ${handler('return { payload: table }')}`);
    const large = one.load(
      handler(
        'const all = []; for (let i = 0; i < 14; i += 1) all.push(new Uint8Array(1e6).fill(i)); return { payload: all.length }',
      ),
    );
    if (small.kind !== 'loaded' || large.kind !== 'loaded') throw new Error('not loaded');
    for (let i = 0; i < 3; i += 1) {
      expect(one.run(large.image, envelopeOf(), '1')).toMatchObject({ kind: 'done', payload: '14' });
      expect(one.isSpoilt).toBe(false);
      expect(one.run(small.image, envelopeOf(), '1')).toMatchObject({ kind: 'done', payload: '[1,2,3]' });
      expect(runOn(one, handler(`return { payload: [${i}] }`))).toMatchObject({ kind: 'done', payload: `[${i}]` });
    }
  });

  it('not from one code to another either', async () => {
    await patient.run(
      `globalThis.secret = 'a'; Object.prototype.secret = 'b'; ${handler('globalThis.later = 1; return { payload: 1 }')}`,
    );
    const code = handler('return { payload: [typeof secret, typeof later, ({}).secret === undefined] }');
    expect(await patient.payloadOf(code)).toEqual(['undefined', 'undefined', true]);
  });
});

describe('prototypes', () => {
  it('are of the machine, not of the host', async () => {
    await patient.run(handler('Object.prototype.polluted = 1; Array.prototype.polluted = 1; return webhook'));
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('are data where they are named in a payload or in headers', async () => {
    const payload = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}';
    const same = await patient.run(handler(''), payload);
    expect(same).toMatchObject({ kind: 'done', payload });
    const named = await patient.run(handler(`webhook.headers = JSON.parse('{"__proto__":"x","constructor":"y"}')`));
    if (named.kind !== 'done') throw new Error(named.message);
    expect(Object.entries(named.headers)).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
    expect(Object.getPrototypeOf(named.headers)).toBe(Object.prototype);
    expect(await patient.failureOf(handler(`webhook.headers = JSON.parse('{"__proto__":{"a":"x"}}')`))).toMatchObject({
      code: 'invalid-result',
    });
  });

  it('may be broken: what we need of them was kept', async () => {
    const broken = `
      JSON.stringify = JSON.parse = () => { throw 1 }; Reflect.ownKeys = Object.create = Object.freeze = null;
      globalThis.Object = globalThis.Array = globalThis.String = globalThis.InternalError = undefined;
      Object_ = undefined; `;
    expect(await patient.payloadOf(`var Object_; ${broken} ${handler('return { payload: { a: 1 } }')}`)).toEqual({
      a: 1,
    });
    const forged = handler(`Object.prototype.toJSON = () => null; return webhook`);
    expect(await patient.run(forged)).toMatchObject({ kind: 'done', headers, payload: 'null' });
  });
});

describe('the same event', () => {
  it('gives the same random numbers, another event others', async () => {
    const code = handler('return { payload: [Math.random(), Math.random()] }');
    const first = (await patient.payloadOf(code)) as number[];
    expect(await patient.payloadOf(code)).toEqual(first);
    const other = await patient.run(code, '1', envelopeOf({ seed: [1, 2, 3, 5] }));
    expect(other).not.toMatchObject({ payload: JSON.stringify(first) });
    for (const number of first) expect(number >= 0 && number < 1).toBe(true);
  });
});
