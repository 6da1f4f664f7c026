import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { strictJson } from './strict-json.js';

const parsed = (text: string) => strictJson(Buffer.from(text));

describe('strictJson', () => {
  it('reads what JSON.parse reads', () => {
    const named = fc.jsonValue({ maxDepth: 5 }).filter((value) => !JSON.stringify(value).includes('"__proto__"'));
    fc.assert(
      fc.property(named, fc.constantFrom(undefined, 2), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        expect(parsed(text)).toEqual({ ok: true, value: JSON.parse(text) as unknown });
      }),
    );
  });

  it('finds a name that an object has twice, wherever it stands', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.string().filter((name) => name !== '__proto__'),
          { minLength: 1, maxLength: 5 },
        ),
        fc.string().filter((name) => name !== '__proto__'),
        (path, name) => {
          const twice = `{${JSON.stringify(name)}: "x", "other: ": [{}], ${JSON.stringify(name)}: 2}`;
          fc.pre(name !== 'other: ');
          const text = path.reduceRight((inner, step) => `{${JSON.stringify(step)}: [null, ${inner}]}`, twice);
          const pointer = [...path.flatMap((step) => [step, '1']), name];
          expect(parsed(text)).toMatchObject({
            code: 'duplicate-name',
            pointer: pointer.map((step) => `/${step.replaceAll('~', '~0').replaceAll('/', '~1')}`).join(''),
          });
        },
      ),
    );
  });

  it('takes every number that a double has, and no whole one that would come back as another', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(parsed(JSON.stringify(value))).toMatchObject({ ok: true });
      }),
    );
    const whole = fc.bigInt({ min: -(10n ** 25n), max: 10n ** 25n });
    const near = fc.bigInt({ min: 2n ** 53n - 100n, max: 2n ** 53n + 100n });
    fc.assert(
      fc.property(fc.oneof(whole, near), (value) => {
        const back = Number(value);
        const isSame = BigInt(back) === value || String(back) === String(value);
        expect(parsed(`[${value}]`)).toMatchObject(isSame ? { ok: true } : { code: 'number-too-large', pointer: '/0' });
      }),
    );
  });

  it.each([
    ['names that are the same once they are read', '{"a":1,"\\u0061":2}', '/a', 'duplicate-name'],
    ['__proto__', '{"a":[{"__proto__":{}}]}', '/a/0/__proto__', 'forbidden-name'],
    ['__proto__ in other letters', '{"__pr\\u006fto__":1}', '/__proto__', 'forbidden-name'],
    ['a whole number that a double does not hold', '{"a":9007199254740993}', '/a', 'number-too-large'],
    ['a negative one', '[1,-9007199254740993]', '/1', 'number-too-large'],
    ['a number beyond all', '1e999', '', 'number-too-large'],
    ['one without a sign of it at its start', '[1,0.00001E+999]', '/1', 'number-too-large'],
    ['257 levels', '['.repeat(257) + ']'.repeat(257), '/0'.repeat(256), 'too-deep'],
    ['no JSON', '{"a":}', '', 'malformed-json'],
    ['two values', '1 2', '', 'malformed-json'],
  ])('refuses %s', (_what, text, pointer, code) => {
    expect(parsed(text)).toMatchObject({ ok: false, pointer, code });
  });

  it('refuses what is not UTF-8', () => {
    expect(strictJson(Buffer.from([0x22, 0xc3, 0x28, 0x22]))).toMatchObject({ ok: false, code: 'malformed-json' });
  });

  it.each([
    ['the same name in other objects', '{"a":{"a":1},"b":{"a":1}}'],
    ['the same text as name and as value', '{"a":"a","b":["a","a"]}'],
    ['names that look like JSON', '{"{\\"a\\":1,":1,"\\\\":2,"\\"":3}'],
    ['fractions and large powers', '[1.1,1e20,-0.5E-3,9007199254740991]'],
    ['colons, braces and numbers in strings', '{"a":"\\":{}[]9007199254740993","b":"\\\\"}'],
    ['256 levels', '['.repeat(256) + ']'.repeat(256)],
  ])('takes %s', (_what, text) => {
    expect(parsed(text)).toEqual({ ok: true, value: JSON.parse(text) as unknown });
  });
});
