// Generated from schemas/events by `npm run gen`. Do not edit.

/** Someone commented on a task. */
export interface CommentAdded {
  /** Stable id of the comment. */
  readonly commentId: string;
  /** Task that it is about. */
  readonly taskId: string;
  /** Project of the task. */
  readonly projectId: string;
  /** Who wrote it. */
  readonly author: ProjectmanagementPerson;
  /** The comment, in Markdown. */
  readonly text: string;
  /** Ids of the people who are mentioned. */
  readonly mentions: readonly string[];
  /** File name to address. */
  readonly attachments: Readonly<Record<string, string>>;
  /** When it was written. */
  readonly addedAt: number;
}

/** Someone who works in the workspace. */
export interface ProjectmanagementPerson {
  /** Stable id of the person. */
  readonly id: string;
  /** Name as shown. */
  readonly name: string;
  /** Address, where the person shares it. */
  readonly email: string | null;
}

/** Someone was invited to the workspace. */
export interface MemberInvited {
  /** Stable id of the invitation. */
  readonly invitationId: string;
  /** Address that it was sent to. */
  readonly email: string;
  /** Role on acceptance. */
  readonly role: ProjectmanagementRole;
  /** Who invited. */
  readonly invitedBy: ProjectmanagementPerson;
  /** Projects that come with it. */
  readonly projectIds: readonly string[];
  /** When the invitation lapses. */
  readonly expiresAt: number;
  /** When it was sent. */
  readonly invitedAt: number;
}

/** What the invited person may do. */
export type ProjectmanagementRole = 'guest' | 'member' | 'admin';

/** A project was created. */
export interface ProjectCreated {
  /** Stable id of the project. */
  readonly projectId: string;
  /** Title. */
  readonly name: string;
  /** What the project is for. */
  readonly description: string | null;
  /** Who is responsible. */
  readonly owner: ProjectmanagementPerson;
  /** Day on which it should be done. */
  readonly dueDate: number | null;
  /** Planned cost, in the workspace's currency. */
  readonly budget: Buffer | null;
  /** Free tags. */
  readonly labels: readonly string[];
  /** When it was created. */
  readonly createdAt: number;
}

/** A task was completed. */
export interface TaskCompleted {
  /** Stable id of the task. */
  readonly taskId: string;
  /** Project that it belongs to. */
  readonly projectId: string;
  /** Title. */
  readonly title: string;
  /** Who completed it. */
  readonly completedBy: ProjectmanagementPerson;
  /** Time booked on it, in minutes. */
  readonly minutesSpent: number;
  /** When it was completed. */
  readonly completedAt: number;
}

/** Fields of a task changed. */
export interface TaskUpdated {
  /** Stable id of the task. */
  readonly taskId: string;
  /** Project that it belongs to. */
  readonly projectId: string;
  /** Title after the change. */
  readonly title: string;
  /** Priority after the change. */
  readonly priority: ProjectmanagementPriority;
  /** Who works on it; null when nobody does. */
  readonly assignee: ProjectmanagementPerson | null;
  /** Expected effort in hours. */
  readonly estimateHours: number | null;
  /** What changed. */
  readonly changes: readonly ProjectmanagementFieldChange[];
  /** Who changed it. */
  readonly updatedBy: ProjectmanagementPerson;
  /** When it changed. */
  readonly updatedAt: number;
}

/** How soon it should be done. */
export type ProjectmanagementPriority = 'low' | 'normal' | 'high' | 'urgent';

/** One field that changed. */
export interface ProjectmanagementFieldChange {
  /** Its name. */
  readonly field: string;
  /** Value before, as text. */
  readonly before: string | null;
  /** Value after, as text. */
  readonly after: string | null;
}

/** Event type (the Avro full name) to its data. */
export interface EventData {
  readonly 'comment.added': CommentAdded;
  readonly 'member.invited': MemberInvited;
  readonly 'project.created': ProjectCreated;
  readonly 'task.completed': TaskCompleted;
  readonly 'task.updated': TaskUpdated;
}
