import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AppError } from '../problem/app-error.js';
import { mergePins, shownPins, sentVersion, type KnownType, type Pins } from './versions-merge.js';
import type { VersionsPatch } from './versions.dto.js';

const known: readonly KnownType[] = [
  { type: 'note.added', versions: [1] },
  { type: 'task.completed', versions: [1, 2] },
  { type: 'task.updated', versions: [1, 3, 4] },
];

const created = (eventTypes: readonly string[], versions?: VersionsPatch): Pins =>
  mergePins(null, { eventTypes, versions }, known);
const patched = (
  before: Pins & { eventTypes: readonly string[] },
  wish: { eventTypes?: readonly string[]; versions?: VersionsPatch | null },
): Pins => mergePins(before, { eventTypes: wish.eventTypes ?? before.eventTypes, versions: wish.versions }, known);
const tasks = { eventTypes: ['task.*'], versions: { 'task.completed': 1, 'task.updated': 1 }, latestByDefault: false };

function faultsOf(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error instanceof AppError ? error.errors : error;
  }
  return [];
}

describe('a new endpoint', () => {
  it('is pinned to the newest version of every type that it wants', () => {
    expect(created(['task.*'])).toEqual({
      versions: { 'task.completed': 2, 'task.updated': 4 },
      latestByDefault: false,
    });
    expect(created(['future.type'])).toEqual({ versions: {}, latestByDefault: false });
  });

  it('may name versions, or the newest whatever comes, for one type or for all', () => {
    expect(created(['task.*'], { 'task.updated': 3 }).versions).toEqual({ 'task.completed': 2, 'task.updated': 3 });
    expect(created(['task.*'], { 'task.updated': 'latest' }).versions).toEqual({
      'task.completed': 2,
      'task.updated': 0,
    });
    expect(created(['*'], { '*': 'latest', 'note.added': 1 })).toEqual({
      versions: { 'note.added': 1 },
      latestByDefault: true,
    });
  });

  it('is told where each name or version that does not exist stands, and what there is', () => {
    const versions = { 'task.updated': 2, 'task.gone': 1, 'note.added': 1, 'a~/b': 'latest' as const };
    expect(faultsOf(() => created(['task.*'], versions))).toEqual([
      {
        pointer: '/versions/task.updated',
        code: 'unknown-version',
        detail: 'There is no version 2; there are: 1, 3, 4.',
      },
      {
        pointer: '/versions/task.gone',
        code: 'unknown-event-type',
        detail: 'There is no such event type; `eventTypes` holds task.completed, task.updated.',
      },
      { pointer: '/versions/note.added', code: 'not-subscribed', detail: '`eventTypes` does not hold this type.' },
      { pointer: '/versions/a~0~1b', code: 'unknown-event-type', detail: expect.any(String) as string },
    ]);
  });
});

describe('a patch', () => {
  it('changes what it names, and leaves the rest', () => {
    expect(patched(tasks, { versions: { 'task.updated': 4 } }).versions).toEqual({
      'task.completed': 1,
      'task.updated': 4,
    });
    expect(patched(tasks, { versions: { 'task.updated': 'latest' } }).versions).toMatchObject({ 'task.updated': 0 });
    expect(patched(tasks, {})).toEqual({ versions: tasks.versions, latestByDefault: false });
  });

  it('gives back the default by null: the newest of now', () => {
    expect(patched(tasks, { versions: { 'task.updated': null } }).versions).toEqual({
      'task.completed': 1,
      'task.updated': 4,
    });
    expect(patched(tasks, { versions: null })).toEqual(created(['task.*']));
    expect(patched({ ...tasks, latestByDefault: true }, { versions: { 'task.updated': null, gone: null } })).toEqual({
      versions: { 'task.completed': 1 },
      latestByDefault: true,
    });
  });

  it('makes types that are not named follow the newest, or pins them to the newest of now', () => {
    const following = patched(tasks, { versions: { '*': 'latest' } });
    expect(following).toEqual({ versions: tasks.versions, latestByDefault: true });
    const before = { eventTypes: ['*'], versions: { 'task.updated': 1 }, latestByDefault: true };
    expect(patched(before, { versions: { '*': null } })).toEqual({
      versions: { 'note.added': 1, 'task.completed': 2, 'task.updated': 1 },
      latestByDefault: false,
    });
  });

  it('that widens the patterns pins the types that match only now, and forgets those that match no more', () => {
    expect(patched(tasks, { eventTypes: ['note.*', 'task.updated'] }).versions).toEqual({
      'note.added': 1,
      'task.updated': 1,
    });
  });

  it('does not move a type that came after the endpoint, unless it is named', () => {
    const before = { eventTypes: ['task.*'], versions: { 'task.updated': 1 }, latestByDefault: false };
    const same = patched(before, { eventTypes: ['task.*', 'note.*'], versions: { 'task.updated': 3 } });
    expect(same.versions).toEqual({ 'note.added': 1, 'task.updated': 3 });
    expect(sentVersion(same, known[1]!)).toEqual({ version: 1, follows: false, isNamed: false });
    expect(patched(before, { versions: { 'task.completed': null } }).versions).toMatchObject({ 'task.completed': 2 });
  });
});

describe('pins', () => {
  const name = fc.constantFrom('note.added', 'task.completed', 'task.updated');
  const patterns = fc.uniqueArray(fc.constantFrom('*', 'task.*', 'note.*', 'note.added', 'task.updated'), {
    minLength: 1,
  });
  const wish = fc.record({ eventTypes: patterns, latest: fc.boolean() });

  it('as they are shown, given to a new endpoint of the same patterns, make the same pins', () => {
    fc.assert(
      fc.property(wish, wish, (first, second) => {
        const start = created(first.eventTypes, first.latest ? { '*': 'latest' } : undefined);
        const pins = patched({ ...start, eventTypes: first.eventTypes }, { eventTypes: second.eventTypes });
        expect(created(second.eventTypes, shownPins(pins))).toEqual(pins);
      }),
    );
  });

  it('say of each type that is wanted which of its versions is sent', () => {
    fc.assert(
      fc.property(fc.boolean(), fc.uniqueArray(name), (latest, followed) => {
        const all = created(['*'], latest ? { '*': 'latest' } : undefined);
        const versions = Object.fromEntries(followed.map((type) => [type, 'latest' as const]));
        const pins = patched({ ...all, eventTypes: ['*'] }, { versions });
        for (const one of known) {
          const { version, follows } = sentVersion(pins, one);
          expect(version).toBe(one.versions.at(-1));
          expect(follows).toBe(latest || followed.some((type) => type === one.type));
        }
      }),
    );
  });
});
