import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../random.js';
import { dueBy } from './pace.js';
import { Workspace, type WorkspaceEvent } from './workspace.js';

const life = (seed: number, count: number, run = 'r1'): WorkspaceEvent[] => {
  const workspace = new Workspace(run, seededRandom(seed));
  return Array.from({ length: count }, (_, i) => workspace.next(1_700_000_000_000 + i * 1_000));
};

/** What cannot have happened, given what happened before it. */
function contradictions(events: readonly WorkspaceEvent[]): string[] {
  const found: string[] = [];
  const projects = new Set<string>();
  const tasks = new Map<string, 'open' | 'done'>();
  const fields = new Map<string, string | null>();
  const claim = (holds: boolean, what: string): void => void (holds || found.push(what));
  for (const event of events) {
    if (event.type === 'project.created') projects.add(event.data.projectId);
    claim(event.projectId === null || projects.has(event.projectId), `${event.subject}: unknown project`);
    switch (event.type) {
      case 'project.created':
        break;
      case 'task.updated': {
        const { taskId, changes, assignee } = event.data;
        claim(tasks.get(taskId) !== 'done', `${taskId} changed after its completion`);
        tasks.set(taskId, 'open');
        claim(changes.length > 0, `${taskId}: nothing changed`);
        for (const { field, before, after } of changes) {
          const key = `${taskId} ${field}`;
          claim(before === (fields.get(key) ?? (field === 'priority' ? 'normal' : null)), `${key}: not what it was`);
          fields.set(key, after);
        }
        claim((assignee?.name ?? null) === (fields.get(`${taskId} assignee`) ?? null), `${taskId}: another assignee`);
        break;
      }
      case 'task.completed':
        claim(tasks.get(event.data.taskId) === 'open', `${event.data.taskId} was not open`);
        tasks.set(event.data.taskId, 'done');
        break;
      case 'comment.added':
        claim(tasks.get(event.data.taskId) === 'open', `${event.data.taskId}: comment on a task that is not open`);
        break;
      case 'member.invited':
        for (const id of event.data.projectIds) claim(projects.has(id), `${id}: invited to an unknown project`);
        break;
    }
  }
  return found;
}

describe('Workspace', () => {
  it('is the same for the same seed and run, and shares no id with another run', () => {
    expect(life(7, 300)).toEqual(life(7, 300));
    const subjects = new Set(life(7, 300, 'r1').map(({ subject }) => subject));
    expect(life(7, 300, 'r2').filter(({ subject }) => subjects.has(subject))).toEqual([]);
  });

  it('lets every kind of event happen', () => {
    const kinds = new Set(life(1, 500).map(({ type }) => type));
    expect([...kinds].sort()).toEqual([
      'comment.added',
      'member.invited',
      'project.created',
      'task.completed',
      'task.updated',
    ]);
  });

  it('evolves consistently', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => {
        expect(contradictions(life(seed, 400))).toEqual([]);
      }),
      { numRuns: 30 },
    );
  });
});

describe('dueBy', () => {
  const base = { rate: 100, elapsedMs: 0, sent: 0, events: 500, mostAtOnce: 250 };
  it('keeps the rate, and never goes beyond the count', () => {
    expect(dueBy(base)).toBe(1);
    expect(dueBy({ ...base, elapsedMs: 1_000, sent: 1 })).toBe(100);
    expect(dueBy({ ...base, elapsedMs: 60_000, sent: 490 })).toBe(10);
  });
  it('catches up in bounded steps', () => {
    expect(dueBy({ ...base, elapsedMs: 60_000 })).toBe(250);
    expect(dueBy({ ...base, rate: 0, events: 0 })).toBe(250);
  });
});
