import { userInfo } from 'node:os';
import type { Config } from '#libs/config';
import { AuditLog, inScope, type AuditNote } from '#libs/persistence';
import { withDatabase } from './database.js';
import { CommandFailed, type Report } from './report.js';

/** What an operator has told a command to change. */
export type CommandNote = Pick<AuditNote, 'action' | 'resource'> & { readonly asked: object };

/**
 * Notes in the audit log what is about to be done, then does it: what fails half-way, or is killed, has its entry. The entry is
 * the platform's own. Without a `DATABASE_URL` there is none, and that is said.
 * @throws CommandFailed when it cannot be noted; nothing was done then
 */
export async function audited(
  config: Config,
  { action, resource, asked }: CommandNote,
  report: Report,
  work: () => Promise<void>,
): Promise<void> {
  if (config.databaseUrl === '') report('audit log: no entry, since DATABASE_URL is not set');
  else {
    const note = { tenantId: '', at: Date.now(), action, resource, before: null, after: asked };
    await withDatabase(config, (database) => inScope(operator(), () => new AuditLog(database).add(note))).catch(
      (error: unknown) => {
        const why = error instanceof Error ? error.message : String(error);
        throw new CommandFailed(`nothing was done, since the audit log cannot be written: ${why}`);
      },
    );
  }
  await work();
}

const operator = () => ({
  confinement: null,
  actor: { kind: 'system', id: 'cli', name: `posthorn, run by ${userName()}` } as const,
  ip: null,
  requestId: null,
});

/** A process in a container may run as nobody that is known. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `user ${process.getuid?.() ?? 'unknown'}`;
  }
}
