import type {
  EventData,
  ProjectmanagementFieldChange as FieldChange,
  ProjectmanagementPerson as Person,
  ProjectmanagementPriority as Priority,
} from './events.generated.js';
import * as words from './vocabulary.js';

/** One thing that happened in the workspace. */
export type WorkspaceEvent = {
  [T in keyof EventData]: {
    readonly type: T;
    /** What it is about: id of a project, a task or an invitation. */
    readonly subject: string;
    /** Events of one project stay in order; null where no project is concerned. */
    readonly projectId: string | null;
    readonly data: EventData[T];
  };
}[keyof EventData];

interface Task {
  readonly id: string;
  readonly projectId: string;
  title: string;
  priority: Priority;
  assignee: Person | null;
  estimateHours: number | null;
}

const priorities = ['low', 'normal', 'high', 'urgent'] as const satisfies readonly Priority[];
const mostPeople = 60;
const mostProjects = 40;
const mostOpenTasks = 200;
const day = 86_400_000;

/**
 * A small company at work. Its state evolves consistently: tasks belong to projects that were created, `before` is what
 * `after` was, nothing happens to a completed task, and whoever does something is a member. The same seed and the same
 * run give the same events; ids of different runs differ. Its size is bounded, so it can go on for ever.
 */
export class Workspace {
  readonly #people: Person[] = [];
  readonly #projectIds: string[] = [];
  readonly #tasks: Task[] = [];
  #invited: { person: Person; joinsAfter: number }[] = [];
  #count = 0;

  constructor(
    private readonly runId: string,
    private readonly random: () => number,
  ) {
    for (let i = 0; i < 6; i += 1) this.#people.push(this.#newPerson());
  }

  /** What happens next. @param now Unix milliseconds */
  next(now: number): WorkspaceEvent {
    this.#welcome();
    const [task] = this.#tasks;
    if (this.#projectIds.length < 2) return this.#createProject(now);
    if (task === undefined) return this.#openTask(now);
    const roll = this.random();
    if (roll < 0.04 && this.#projectIds.length < mostProjects) return this.#createProject(now);
    if (roll < 0.09 && this.#people.length + this.#invited.length < mostPeople) return this.#invite(now);
    if (roll < 0.35) return this.#comment(now);
    if (roll < 0.5 || this.#tasks.length > mostOpenTasks) return this.#complete(now);
    return roll < 0.7 ? this.#openTask(now) : this.#change(now);
  }

  #createProject(now: number): WorkspaceEvent {
    const projectId = this.#id('prj');
    this.#projectIds.push(projectId);
    const data = {
      projectId,
      name: this.#pick(words.projectNames),
      description: this.#maybe(() => this.#pick(words.projectGoals)),
      owner: this.#pick(this.#people),
      dueDate: this.#maybe(() => Math.floor(now / day) + this.#between(14, 200)),
      budget: this.#maybe(() => decimalBytes(this.#between(5_000, 250_000) * 100)),
      labels: this.#some(words.labels, 3),
      createdAt: now,
    };
    return { type: 'project.created', subject: projectId, projectId, data };
  }

  #invite(now: number): WorkspaceEvent {
    const invitationId = this.#id('inv');
    const person = this.#newPerson();
    this.#invited.push({ person, joinsAfter: this.#count + this.#between(5, 50) });
    const data = {
      invitationId,
      email: person.email ?? '',
      role: this.#pick(['guest', 'member', 'member', 'admin'] as const),
      invitedBy: this.#pick(this.#people),
      projectIds: this.#some(this.#projectIds, 3),
      expiresAt: now + 14 * day,
      invitedAt: now,
    };
    return { type: 'member.invited', subject: invitationId, projectId: null, data };
  }

  #comment(now: number): WorkspaceEvent {
    const task = this.#pick(this.#tasks);
    const mentioned = this.#some(this.#people, 2);
    const file = this.#maybe(() => this.#pick(words.fileNames), 0.2);
    const data = {
      commentId: this.#id('cmt'),
      taskId: task.id,
      projectId: task.projectId,
      author: this.#pick(this.#people),
      text: [...mentioned.map(({ name }) => `@${name}`), this.#pick(words.remarks)].join(' '),
      mentions: mentioned.map(({ id }) => id),
      attachments: file === null ? {} : { [file]: `https://files.example.com/${task.id}/${file}` },
      addedAt: now,
    };
    return { type: 'comment.added', subject: task.id, projectId: task.projectId, data };
  }

  #openTask(now: number): WorkspaceEvent {
    const task: Task = {
      id: this.#id('tsk'),
      projectId: this.#pick(this.#projectIds),
      title: `${this.#pick(words.taskVerbs)} ${this.#pick(words.taskObjects)}`,
      priority: 'normal',
      assignee: null,
      estimateHours: null,
    };
    this.#tasks.push(task);
    return this.#updated(task, [{ field: 'title', before: null, after: task.title }], now);
  }

  #change(now: number): WorkspaceEvent {
    const task = this.#pick(this.#tasks);
    const changes: FieldChange[] = [];
    const person = this.#pick(this.#people);
    if (task.assignee?.id !== person.id) {
      changes.push({ field: 'assignee', before: task.assignee?.name ?? null, after: person.name });
      task.assignee = person;
    }
    const priority = this.#pick(priorities);
    if (priority !== task.priority) {
      changes.push({ field: 'priority', before: task.priority, after: priority });
      task.priority = priority;
    }
    const hours = this.#between(1, 40) / 2;
    if (changes.length === 0 || this.random() < 0.3) {
      changes.push({ field: 'estimateHours', before: task.estimateHours?.toString() ?? null, after: hours.toString() });
      task.estimateHours = hours;
    }
    return this.#updated(task, changes, now);
  }

  #updated(task: Task, changes: readonly FieldChange[], now: number): WorkspaceEvent {
    const { id, ...state } = task;
    const data = { taskId: id, ...state, changes, updatedBy: this.#pick(this.#people), updatedAt: now };
    return { type: 'task.updated', subject: id, projectId: task.projectId, data };
  }

  #complete(now: number): WorkspaceEvent {
    const task = this.#pick(this.#tasks);
    this.#tasks.splice(this.#tasks.indexOf(task), 1);
    const data = {
      taskId: task.id,
      projectId: task.projectId,
      title: task.title,
      completedBy: task.assignee ?? this.#pick(this.#people),
      minutesSpent: this.#between(1, 60) * 15,
      completedAt: now,
    };
    return { type: 'task.completed', subject: task.id, projectId: task.projectId, data };
  }

  /** Who was invited long enough ago is a member now. */
  #welcome(): void {
    this.#count += 1;
    const joining = this.#invited.filter(({ joinsAfter }) => joinsAfter <= this.#count);
    if (joining.length === 0) return;
    this.#people.push(...joining.map(({ person }) => person));
    this.#invited = this.#invited.filter((invitation) => !joining.includes(invitation));
  }

  #newPerson(): Person {
    const first = this.#pick(words.firstNames);
    const last = this.#pick(words.lastNames);
    const id = this.#id('usr');
    return { id, name: `${first} ${last}`, email: `${first}.${last}@example.com`.toLowerCase() };
  }

  #ids = 0;
  #id(prefix: string): string {
    this.#ids += 1;
    return `${prefix}_${this.runId}_${this.#ids.toString(36)}`;
  }

  #between(least: number, most: number): number {
    return least + Math.floor(this.random() * (most - least + 1));
  }

  #pick<T>(from: readonly T[]): T {
    const picked = from[Math.floor(this.random() * from.length)];
    if (picked === undefined) throw new RangeError('nothing to pick from');
    return picked;
  }

  /** Up to `most` different ones. */
  #some<T>(from: readonly T[], most: number): T[] {
    return [...new Set(Array.from({ length: this.#between(0, most) }, () => this.#pick(from)))];
  }

  #maybe<T>(make: () => T, share = 0.7): T | null {
    return this.random() < share ? make() : null;
  }
}

/** A positive amount in its smallest unit as Avro's decimal: two's complement, big-endian (Avro 1.12, Decimal). */
function decimalBytes(cents: number): Buffer {
  const hex = cents.toString(16);
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex');
  // A leading one bit would make it negative.
  return (bytes[0] ?? 0) < 0x80 ? bytes : Buffer.concat([Buffer.of(0), bytes]);
}
