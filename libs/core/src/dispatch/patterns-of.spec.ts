import fc from 'fast-check';
import { expect, it } from 'vitest';
import { typeMatcher } from './event-pattern.js';
import { patternsOf } from './patterns-of.js';

it('names every pattern of a type', () => {
  expect(patternsOf('task')).toEqual(['*', 'task']);
  expect(patternsOf('task.comment.added')).toEqual(['*', 'task.*', 'task.comment.*', 'task.comment.added']);
});

it('is what the matcher takes, no more and no less', () => {
  const name = fc
    .array(fc.constantFrom('a', 'b', 'ab'), { minLength: 1, maxLength: 4 })
    .map((names) => names.join('.'));
  const pattern = fc.oneof(
    fc.constant('*'),
    name,
    name.map((one) => `${one}.*`),
  );
  fc.assert(
    fc.property(name, pattern, (type, one) => {
      expect(patternsOf(type).includes(one)).toBe(typeMatcher([one])(type));
    }),
  );
});
