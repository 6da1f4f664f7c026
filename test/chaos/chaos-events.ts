import { comment, completion, type CloudEvent } from '../e2e/sample-events.js';

const person = { id: 'u-1', name: 'Ada Okafor', email: null };
const time = (n: number): string => new Date(1_760_000_000_000 + n).toISOString();

const update = (n: number): Record<string, unknown> => ({
  taskId: `t-${n}`,
  projectId: 'p-1',
  title: `Task ${n}`,
  priority: 'normal',
  assignee: null,
  estimateHours: null,
  changes: [],
  updatedBy: person,
  updatedAt: time(n),
});

const project = (n: number): Record<string, unknown> => ({
  projectId: `p-${n}`,
  name: `Project ${n}`,
  description: null,
  owner: person,
  dueDate: null,
  budget: null,
  labels: [],
  createdAt: time(n),
});

const invitation = (n: number): Record<string, unknown> => ({
  invitationId: `i-${n}`,
  email: `guest-${n}@example.com`,
  role: 'guest',
  invitedBy: person,
  projectIds: [],
  expiresAt: time(n),
  invitedAt: time(n),
});

/** A prime number of keys: no key has events of one type only. */
const keys = 41;

/** Event `n` of the steady load: of 10, 6 comments, 3 completed tasks and 1 updated one, over 41 keys. */
export function steadyEvent(n: number): CloudEvent {
  const kind = n % 10;
  const [type, data] =
    kind < 6
      ? ['comment.added', comment(n)]
      : kind < 9
        ? ['task.completed', completion(n)]
        : ['task.updated', update(n)];
  return { id: `steady-${n}`, type, source: '/chaos', partitionkey: `k-${n % keys}`, data };
}

/** What a rate limited endpoint is flooded with. */
export const flood = (count: number): readonly CloudEvent[] =>
  Array.from({ length: count }, (_, n) => ({
    id: `flood-${n}`,
    type: 'member.invited',
    source: '/chaos',
    partitionkey: `k-${n % keys}`,
    data: invitation(n),
  }));

/** What endpoints that fail at first get: few, so that only their delay decides when the retry comes. */
export const fewProjects = (count: number): readonly CloudEvent[] =>
  Array.from({ length: count }, (_, n) => ({
    id: `project-${n}`,
    type: 'project.created',
    source: '/chaos',
    partitionkey: `k-${n}`,
    data: project(n),
  }));
