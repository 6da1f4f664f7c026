// Real: QuickJS in WebAssembly. In this thread: what only ending a thread can stop is in sandbox.int-spec.ts.
import { beforeAll, describe, expect, it } from 'vitest';
import { Machine } from './machine.js';
import type { MachineAnswer } from './machine-answer.js';
import { sandboxLimits, type SandboxLimits } from './sandbox-job.js';

/** How long code takes to run out of something is no matter here. */
const patient: SandboxLimits = { ...sandboxLimits, runMs: 30_000 };
let machine: Machine;

beforeAll(async () => {
  machine = await Machine.start(patient);
});

const headers = { 'content-type': 'application/json' };
const event = { id: 'e-1', source: '/tasks', type: 'task.created', partitionkey: 'k' };
const envelopeOf = (changes: object = {}): string =>
  JSON.stringify({
    eventType: 'task.created',
    eventId: 'e-1',
    headers,
    cancel: false,
    event,
    seed: [1, 2, 3, 4],
    ...changes,
  });

/** Loads and runs as a thread does, and begins with another machine where it does. */
async function run(code: string, payload = '{"id":1}', envelope = envelopeOf()): Promise<MachineAnswer> {
  const answer = runOn(machine, code, payload, envelope);
  if (machine.isSpoilt) machine = await Machine.start(patient);
  return answer;
}
function runOn(one: Machine, code: string, payload: string, envelope: string): MachineAnswer {
  const loaded = one.load(code);
  return loaded.kind === 'failed' ? loaded : one.run(loaded.image, envelope, payload);
}
const handler = (body: string): string => `function handler(webhook) { ${body} }`;
async function failureOf(code: string): Promise<Extract<MachineAnswer, { kind: 'failed' }>> {
  const answer = await run(code);
  if (answer.kind !== 'failed') throw new Error(`it did not fail: ${JSON.stringify(answer)}`);
  return answer;
}
async function payloadOf(code: string, payload?: string): Promise<unknown> {
  const answer = await run(code, payload);
  if (answer.kind !== 'done') throw new Error(`it failed: ${JSON.stringify(answer)}`);
  return JSON.parse(answer.payload);
}

describe('a handler', () => {
  it('is given the event, and changes payload and headers', async () => {
    const code = handler(`
      webhook.payload = { ...webhook.payload, ...webhook.event, of: [webhook.eventType, webhook.eventId, webhook.cancel] };
      webhook.headers['X-Source'] = webhook.event.source;
      return webhook;`);
    const answer = await run(code, '{"n":1.5,"text":"ä€😀","none":null}');
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
    expect(await payloadOf(handler(body))).toEqual(payload);
  });

  it('may be a constant, and may take time to set up what it needs outside of itself', async () => {
    const code = `const names = new Map([[1, 'one']]); const handler = ({ payload }) => ({ payload: names.get(payload.id) })`;
    expect(await payloadOf(code)).toBe('one');
  });

  it('cancels the delivery', async () => {
    const cancelled = { kind: 'done', payload: 'null', headers: {}, cancelled: true, logs: [] };
    expect(await run(handler('webhook.cancel = true; webhook.payload = undefined'))).toEqual(cancelled);
    expect(await run(handler('return { cancel: true, headers: { host: "x" } }'))).toEqual(cancelled);
  });

  it('removes a header by deleting it or setting it to undefined', async () => {
    expect(await run(handler(`delete webhook.headers['content-type']`))).toMatchObject({ headers: {} });
    expect(await run(handler(`webhook.headers['content-type'] = undefined`))).toMatchObject({ headers: {} });
  });

  it('cannot change the event', async () => {
    expect(await payloadOf(handler('webhook.event.id = "x"; return { payload: webhook.event.id }'))).toBe('e-1');
    expect(await failureOf(`'use strict'; ${handler('webhook.event.id = "x"')}`)).toMatchObject({ code: 'threw' });
  });

  it('writes a log that is bounded', async () => {
    const code = handler(`
      console.log('one', 2, { three: [3] }, null, undefined, Symbol('s'));
      const ring = {}; ring.ring = ring; console.error(ring);
      console.warn({ toJSON() { throw 1 } });`);
    expect(await run(code)).toMatchObject({
      logs: ['one 2 {"three":[3]} null undefined Symbol(s)', '[cannot be shown]', '[cannot be shown]'],
    });
    const flood = await run(handler(`for (let i = 0; i < 1000; i += 1) console.log(i)`));
    expect(flood.logs).toHaveLength(sandboxLimits.logLines);
    const long = await run(handler(`console.log('x'.repeat(100000)); console.log('y')`));
    expect(long.logs.map(({ length }) => length)).toEqual([sandboxLimits.logChars]);
  });

  it('has a log also when it fails', async () => {
    expect(await failureOf(handler('console.log("here"); null.x'))).toMatchObject({ code: 'threw', logs: ['here'] });
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
    expect(await failureOf(text)).toEqual({ kind: 'failed', code, message, line, logs: [] });
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
    expect(await failureOf(text)).toEqual({ kind: 'failed', code, message, logs: [] });
  });
});

describe('hostile code costs nobody but itself', () => {
  const forever = 'for (;;);';
  it.each([
    ['an endless loop', handler(forever)],
    ['an endless loop outside of the handler', `${forever} ${handler('')}`],
    ['one that catches everything', handler('for (;;) { try { for (;;); } catch {} finally { continue } }')],
    ['an endless generator', handler('function* g() { for (;;) yield 1 } for (const x of g());')],
    ['a regular expression that backtracks', handler(`return /(a+)+$/.test('a'.repeat(40) + 'b')`)],
    ['an endless getter of the result', handler(`return { get payload() { ${forever} } }`)],
    ['an endless toJSON', handler(`return { payload: { toJSON() { ${forever} } } }`)],
    ['an endless proxy as headers', handler(`return { headers: new Proxy({}, { ownKeys() { ${forever} } }) }`)],
    ['an endless then', handler(`return { get then() { ${forever} } }`)],
    ['an error whose message does not end', handler(`throw { get message() { ${forever} } }`)],
    ['an error whose text does not end', handler(`throw { toJSON() { ${forever} } }`)],
    ['a sort whose comparison does not end', handler(`[3, 2, 1].sort(() => { ${forever} })`)],
    ['an error outside of the handler that does not end', `throw { get stack() { ${forever} } }`],
    ['a handler that is found for ever', `Object.defineProperty(globalThis, 'handler', { get() { ${forever} } })`],
  ])('timeout: %s', async (_what, text) => {
    const { runMs } = sandboxLimits;
    const hurried = await Machine.start(sandboxLimits);
    const failure = { kind: 'failed', code: 'timeout', message: `it ran for more than ${runMs} ms`, logs: [] };
    expect(runOn(hurried, text, '1', envelopeOf())).toEqual(failure);
    expect(hurried.isSpoilt).toBe(false);
    expect(runOn(hurried, handler(''), '{"id":1}', envelopeOf())).toMatchObject({ kind: 'done', payload: '{"id":1}' });
  });

  const deep = '[].concat(' + 'JSON.parse("[".repeat(200000) + "]".repeat(200000))' + ')';
  it.each([
    // Memory.
    ['memory', 'an array that grows', handler('const all = []; for (;;) all.push(new Array(1000).fill(0))')],
    ['memory', 'a text that doubles', handler(`let text = 'x'; for (;;) text = (text + text).replace('x', 'y')`)],
    ['memory', 'a text that is repeated', handler(`return 'x'.repeat(2 ** 29)`)],
    ['memory', 'an array buffer', handler('return new ArrayBuffer(2 ** 28)')],
    ['memory', 'array buffers', handler('const all = []; for (;;) all.push(new Uint8Array(1e6))')],
    ['memory', 'a huge array', handler('return new Array(2 ** 31).fill(1)')],
    ['memory', 'memory kept outside of the handler', `const kept = new Uint8Array(6e6); ${handler('')}`],
    // Depth.
    ['stack', 'recursion', handler('return handler(webhook)')],
    ['stack', 'recursion outside of the handler', `(function f() { f() })(); ${handler('')}`],
    ['stack', 'getters that call themselves', handler('const o = { get a() { return this.a } }; return o.a')],
    [
      'stack',
      'a proxy of proxies',
      handler('let p = {}; for (let i = 0; i < 20000; i += 1) p = new Proxy(p, {}); return p.x'),
    ],
    ['stack', 'JSON that is nested too deeply', handler(`return { payload: ${deep} }`)],
    // Results.
    ['output', 'a payload that is too long', handler(`return { payload: 'x'.repeat(${sandboxLimits.outputBytes}) }`)],
    [
      'output',
      'one that is too long as UTF-8',
      handler(`return { payload: '€'.repeat(${sandboxLimits.outputBytes / 2}) }`),
    ],
    ['output', 'too many headers', handler(`for (let i = 0; i < 51; i += 1) webhook.headers['x-' + i] = ''`)],
    ['output', 'headers that are too long', handler(`webhook.headers.x = 'x'.repeat(9000)`)],
    ['threw', 'a ring', handler('const ring = {}; ring.ring = ring; return { payload: ring }')],
    ['threw', 'a BigInt', handler('return { payload: 1n }')],
    ['threw', 'a getter that throws', handler('return { get payload() { throw new Error("no") } }')],
    ['threw', 'an error that throws when looked at', handler('throw { get message() { throw 1 } }')],
    ['threw', 'an error whose text throws', handler('throw { toString() { throw 1 }, toJSON() { throw 1 } }')],
    [
      'threw',
      'a proxy that refuses all',
      handler('throw new Proxy({}, { get() { throw 1 }, getPrototypeOf() { throw 1 } })'),
    ],
    ['threw', 'a revoked proxy', handler('const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); return proxy')],
    ['invalid-result', 'a symbol', handler('return { payload: Symbol() }')],
    ['invalid-result', 'a function', handler('return { payload() {} }')],
    ['invalid-result', 'no payload', handler('webhook.payload = undefined')],
    ['invalid-result', 'an async handler', `async ${handler('return webhook')}`],
    ['invalid-result', 'a promise', handler('return Promise.resolve(webhook)')],
    ['invalid-result', 'a promise that waits for ever', handler('return new Promise(() => {})')],
    // Headers.
    ['invalid-result', 'a header with a line break', handler(`webhook.headers.a = 'b\\r\\nhost: c'`)],
    ['invalid-result', 'a header with a zero byte', handler(`webhook.headers.a = '\\0'`)],
    ['invalid-result', 'a header beyond ASCII', handler(`webhook.headers.a = 'ä'`)],
    ['invalid-result', 'a name with a line break', handler(`webhook.headers['a\\r\\nb'] = 'c'`)],
    ['invalid-result', 'a name with a colon', handler(`webhook.headers['a:b'] = 'c'`)],
    ['invalid-result', 'an empty name', handler(`webhook.headers[''] = 'c'`)],
    ['invalid-result', 'a name twice', handler(`webhook.headers['Content-Type'] = 'c'`)],
    ...['webhook-id', 'Webhook-Signature', 'HOST', 'content-length', 'transfer-encoding', 'connection', 'proxy-x'].map(
      (name): [string, string, string] => [
        'invalid-result',
        `the header ${name}`,
        handler(`webhook.headers['${name}'] = 'x'`),
      ],
    ),
    // Out of the box.
    [
      'threw',
      'the host by a constructor',
      handler(`return { payload: handler.constructor.constructor('return process')() }`),
    ],
    ['threw', 'the host by a global', handler('return { payload: typeof require + fetch }')],
    ['invalid-result', 'a module by import()', handler(`return import('fs')`)],
  ])('%s: %s', async (code, _what, text) => {
    const { message, ...failure } = await failureOf(text);
    expect(failure.code).toBe(code);
    expect(message.length).toBeLessThanOrEqual(500);
    expect(message).not.toMatch(/node_modules|wasm|\/|prelude/);
    expect(await payloadOf(handler('webhook.payload.good = true'))).toEqual({ id: 1, good: true });
  });

  it('has no timers, modules or means of input and output', async () => {
    const timers = 'setTimeout setInterval setImmediate queueMicrotask';
    const hosts = 'require module process fetch std os print scriptArgs navigator crypto';
    const others = 'performance Atomics WebAssembly Worker';
    const names = `${timers} ${hosts} ${others}`.split(' ');
    const code = handler(`return { payload: ${JSON.stringify(names)}.filter((name) => name in globalThis) }`);
    expect(await payloadOf(code)).toEqual([]);
  });

  it('has eval and Function, which stay within', async () => {
    const code = handler(
      `return { payload: [eval('1 + 1'), new Function('return typeof process')(), (0, eval)('this === globalThis')] }`,
    );
    expect(await payloadOf(code)).toEqual([2, 'undefined', true]);
  });

  it('waits for no promise: what would go on by itself does not', async () => {
    const code = handler(`(function again() { Promise.resolve().then(again) })(); webhook.payload.id = 2`);
    expect(await payloadOf(code)).toEqual({ id: 2 });
    expect(
      await payloadOf(`let n = 0; Promise.resolve().then(() => { n = 1 }); ${handler('return { payload: n }')}`),
    ).toBe(0);
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

  it('not from one code to another either', async () => {
    await run(
      `globalThis.secret = 'a'; Object.prototype.secret = 'b'; ${handler('globalThis.later = 1; return { payload: 1 }')}`,
    );
    const code = handler('return { payload: [typeof secret, typeof later, ({}).secret === undefined] }');
    expect(await payloadOf(code)).toEqual(['undefined', 'undefined', true]);
  });
});

describe('prototypes', () => {
  it('are of the machine, not of the host', async () => {
    await run(handler('Object.prototype.polluted = 1; Array.prototype.polluted = 1; return webhook'));
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('are data where they are named in a payload or in headers', async () => {
    const payload = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}';
    const same = await run(handler(''), payload);
    expect(same).toMatchObject({ kind: 'done', payload });
    const named = await run(handler(`webhook.headers = JSON.parse('{"__proto__":"x","constructor":"y"}')`));
    if (named.kind !== 'done') throw new Error(named.message);
    expect(Object.entries(named.headers)).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
    expect(Object.getPrototypeOf(named.headers)).toBe(Object.prototype);
    expect(await failureOf(handler(`webhook.headers = JSON.parse('{"__proto__":{"a":"x"}}')`))).toMatchObject({
      code: 'invalid-result',
    });
  });

  it('may be broken: what we need of them was kept', async () => {
    const broken = `
      JSON.stringify = JSON.parse = () => { throw 1 }; Reflect.ownKeys = Object.create = Object.freeze = null;
      globalThis.Object = globalThis.Array = globalThis.String = globalThis.InternalError = undefined;
      Object_ = undefined; `;
    expect(await payloadOf(`var Object_; ${broken} ${handler('return { payload: { a: 1 } }')}`)).toEqual({ a: 1 });
    const forged = handler(`Object.prototype.toJSON = () => null; return webhook`);
    expect(await run(forged)).toMatchObject({ kind: 'done', headers, payload: 'null' });
  });
});

describe('the same event', () => {
  it('gives the same random numbers, another event others', async () => {
    const code = handler('return { payload: [Math.random(), Math.random()] }');
    const first = (await payloadOf(code)) as number[];
    expect(await payloadOf(code)).toEqual(first);
    const other = await run(code, '1', envelopeOf({ seed: [1, 2, 3, 5] }));
    expect(other).not.toMatchObject({ payload: JSON.stringify(first) });
    for (const number of first) expect(number >= 0 && number < 1).toBe(true);
  });
});
