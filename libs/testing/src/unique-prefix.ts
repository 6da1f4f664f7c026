import { randomBytes } from 'node:crypto';

/** A prefix for the topics and groups of one test, so that tests share a cluster without meeting: `t-3f9c1a2b.`. */
export function uniquePrefix(): string {
  return `t-${randomBytes(4).toString('hex')}.`;
}
