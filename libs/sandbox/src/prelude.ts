import type { SandboxLimits } from './sandbox-job.js';

/**
 * What stands in the machine before any code of a customer: the console, the seeded `Math.random`, and the functions that
 * we call. It keeps the built-ins that it needs, since the code may replace them. It guards nothing: whatever it answers
 * comes from a place that the customer rules, and is read as such (`machine-answer.ts`).
 *
 * Evaluates to `{ attach(handler), run(envelope, payload), describe(thrown, whileLoading) }`. `run` answers a line of JSON
 * (`AnswerHead`), and after a payload that fits a second one, the payload.
 */
export const preludeOf = ({ logLines, logChars, outputBytes, headerBytes }: SandboxLimits): string => `(function () {
  'use strict';
  const { parse, stringify } = JSON;
  const { apply, ownKeys } = Reflect;
  const { create, freeze } = Object;
  const { isArray } = Array;
  const { slice } = String.prototype;
  const { imul } = Math;
  const text = String;
  const OutOfBounds = InternalError;
  const Syntax = SyntaxError;

  let handler;
  let logs = create(null);
  let logged = 0;
  let room = ${logChars};
  const show = (value) => {
    try {
      return typeof value === 'object' && value !== null ? text(stringify(value)) : text(value);
    } catch {
      return '[cannot be shown]';
    }
  };
  const log = (...parts) => {
    if (logged >= ${logLines} || room <= 0) return;
    let line = '';
    for (let i = 0; i < parts.length; i += 1) {
      const part = parts[i];
      const shown = show(part);
      line += (i === 0 ? '' : ' ') + shown;
      if (line.length > room) line = apply(slice, line, [0, room]);
    }
    room -= line.length + 1;
    logs[logged] = line;
    logged += 1;
  };
  globalThis.console = { log, info: log, warn: log, error: log, debug: log };

  // sfc32
  let [a, b, c, d] = [1, 2, 3, 4];
  const next = () => {
    const sum = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + sum) | 0;
    return sum >>> 0;
  };
  Math.random = function random() {
    return (next() * 2097152 + (next() >>> 11)) / 9007199254740992;
  };

  const failed = (code, message, stack) => {
    const head = create(null);
    head.kind = 'failed';
    head.code = code;
    head.message = apply(slice, message, [0, 500]);
    head.stack = apply(slice, stack, [0, 2000]);
    head.logs = logs;
    return stringify(head);
  };
  const describe = (thrown, loading) => {
    let message = 'something was thrown that cannot be shown';
    let stack = '';
    let code = 'threw';
    try {
      if (thrown instanceof OutOfBounds && thrown.message === 'out of memory') code = 'memory';
      else if (thrown instanceof OutOfBounds && thrown.message === 'stack overflow') code = 'stack';
      else if (loading && thrown instanceof Syntax) code = 'syntax';
      const isObject = typeof thrown === 'object' && thrown !== null;
      const said = isObject ? thrown.message : undefined;
      if (typeof said === 'string') message = (typeof thrown.name === 'string' ? thrown.name + ': ' : '') + said;
      else message = 'threw ' + show(thrown);
      if (isObject && typeof thrown.stack === 'string') stack = thrown.stack;
    } catch {}
    return failed(code, message, stack);
  };

  const refused = (why) => failed('invalid-result', why, '');
  const given = (value, otherwise) => (value === undefined ? otherwise : value);
  const called = (envelope, payload) => {
    const { seed, ...webhook } = parse(envelope);
    [a, b, c, d] = seed;
    for (let i = 0; i < 12; i += 1) next();
    freeze(webhook.event);
    webhook.payload = parse(payload);
    const result = given(handler(webhook), webhook);
    if (typeof result !== 'object' || result === null || isArray(result)) {
      return refused('handler must return the webhook, an object');
    }
    if (typeof result.then === 'function') {
      return refused('handler must not be async, nor return a promise: there is nothing to wait for here');
    }
    const head = create(null);
    head.kind = 'done';
    head.logs = logs;
    head.cancelled = given(result.cancel, webhook.cancel);
    if (typeof head.cancelled !== 'boolean') return refused('cancel must be true or false');
    if (head.cancelled) return stringify(head);
    const headers = given(result.headers, webhook.headers);
    if (typeof headers !== 'object' || headers === null || isArray(headers)) {
      return refused('headers must be an object');
    }
    const kept = create(null);
    const names = ownKeys(headers);
    let length = 0;
    for (let i = 0; i < names.length; i += 1) {
      const name = names[i];
      if (typeof name !== 'string') return refused('headers has a name that is a symbol');
      const value = headers[name];
      if (typeof value === 'string') {
        kept[name] = value;
        length += name.length + value.length;
        if (length > ${headerBytes}) return failed('output', 'the headers are longer than ${headerBytes} bytes', '');
      } else if (value !== undefined) return refused('headers: the value of ' + stringify(name) + ' must be a string');
    }
    head.headers = kept;
    const body = stringify(given(result.payload, webhook.payload));
    if (typeof body !== 'string') return refused('payload must be a JSON value, not undefined, a function or a symbol');
    if (body.length > ${outputBytes}) return failed('output', 'the payload is longer than ${outputBytes} bytes', '');
    return stringify(head) + '\\n' + body;
  };

  return {
    attach(found) {
      handler = found;
    },
    run(envelope, payload) {
      try {
        return called(envelope, payload);
      } catch (thrown) {
        return describe(thrown, false);
      }
    },
    describe,
  };
})()`;
