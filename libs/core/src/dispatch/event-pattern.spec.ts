import { describe, expect, it } from 'vitest';
import { eventPatternFault, parseEventPattern, typeMatcher } from './event-pattern.js';

describe('event patterns', () => {
  it.each([
    ['task.updated', { kind: 'exact', type: 'task.updated' }],
    ['ping', { kind: 'exact', type: 'ping' }],
    ['task.*', { kind: 'below', prefix: 'task' }],
    ['com.example.task.*', { kind: 'below', prefix: 'com.example.task' }],
    ['*', { kind: 'any' }],
  ])('%s is understood', (text, pattern) => {
    expect(eventPatternFault(text)).toBeNull();
    expect(parseEventPattern(text)).toEqual(pattern);
  });

  it.each([
    '',
    '*.updated',
    'task*',
    'task.*.done',
    '**',
    '.*',
    'task.',
    '.task',
    'task..done',
    '1task',
    'ta sk',
    'x'.repeat(256),
  ])('%j is refused with a reason', (text) => {
    expect(eventPatternFault(text)).toMatch(/^(is|may|must) /);
    expect(() => parseEventPattern(text)).toThrow(RangeError);
  });

  it('as a question about types', () => {
    const wants = typeMatcher(['task.*', 'note.added']);
    const types = ['task.updated', 'task.comment.added', 'task', 'tasks.updated', 'note.added', 'note.added.twice'];
    expect(types.filter(wants)).toEqual(['task.updated', 'task.comment.added', 'note.added']);
    expect(typeMatcher(['*'])('anything')).toBe(true);
    expect(typeMatcher([])('anything')).toBe(false);
    expect(() => typeMatcher(['a*'])).toThrow(RangeError);
  });
});
