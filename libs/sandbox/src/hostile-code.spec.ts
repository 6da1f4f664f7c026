// Real: QuickJS in WebAssembly. In this thread: what only ending a thread can stop is in sandbox.int-spec.ts.
import { describe, expect, it } from 'vitest';
import { Machine } from './machine.js';
import { handler, PatientMachine, runOn } from './machine.fixture.js';
import { sandboxLimits } from './sandbox-job.js';

const patient = new PatientMachine();

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
    expect(runOn(hurried, text)).toEqual(failure);
    expect(hurried.isSpoilt).toBe(false);
    expect(runOn(hurried, handler(''))).toMatchObject({ kind: 'done', payload: '{"id":1}' });
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
    const { message, ...failure } = await patient.failureOf(text);
    expect(failure.code).toBe(code);
    expect(message.length).toBeLessThanOrEqual(500);
    expect(message).not.toMatch(/node_modules|wasm|\/|prelude/);
    expect(await patient.payloadOf(handler('webhook.payload.good = true'))).toEqual({ id: 1, good: true });
  });

  it('has no timers, modules or means of input and output', async () => {
    const timers = 'setTimeout setInterval setImmediate queueMicrotask';
    const hosts = 'require module process fetch std os print scriptArgs navigator crypto';
    const others = 'performance Atomics WebAssembly Worker';
    const names = `${timers} ${hosts} ${others}`.split(' ');
    const code = handler(`return { payload: ${JSON.stringify(names)}.filter((name) => name in globalThis) }`);
    expect(await patient.payloadOf(code)).toEqual([]);
  });

  it('has eval and Function, which stay within', async () => {
    const code = handler(
      `return { payload: [eval('1 + 1'), new Function('return typeof process')(), (0, eval)('this === globalThis')] }`,
    );
    expect(await patient.payloadOf(code)).toEqual([2, 'undefined', true]);
  });

  it('waits for no promise: what would go on by itself does not', async () => {
    const code = handler(`(function again() { Promise.resolve().then(again) })(); webhook.payload.id = 2`);
    expect(await patient.payloadOf(code)).toEqual({ id: 2 });
    expect(
      await patient.payloadOf(
        `let n = 0; Promise.resolve().then(() => { n = 1 }); ${handler('return { payload: n }')}`,
      ),
    ).toBe(0);
  });
});
