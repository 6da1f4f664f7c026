/** What specs of forms share: three versions of task.updated, what endpoints got, and a sandbox made of functions. */
import type { SandboxJob, SandboxResult } from '#libs/sandbox';
import type { TransformationRunner } from '../src/forms/transformations.js';
import type { Harness } from './dispatcher-harness.js';

export const taskUpdated = (...fields: object[]): object => ({
  type: 'record',
  namespace: 'task',
  name: 'updated',
  fields: [{ name: 'title', type: 'string' }, ...fields],
});
export const priority = { name: 'priority', type: 'string', default: 'normal' };
export const assignee = { name: 'assignee', type: ['null', 'string'], default: null };

/** The harness has registered the first one. */
export function registerVersions(posthorn: Harness): void {
  posthorn.registry.register('task.updated', taskUpdated(priority));
  posthorn.registry.register('task.updated', taskUpdated(priority, assignee));
}

/** Data in the newest version. */
export async function inNewest(posthorn: Harness, value: { readonly [name: string]: string | null }): Promise<Buffer> {
  const event = { type: 'task.updated', data: { kind: 'json', value } } as const;
  await posthorn.codec.events.prepare([event]);
  const encoded = posthorn.codec.events.toAvro(event);
  if (!encoded.ok) throw new Error(encoded.detail);
  return encoded.bytes;
}

/** By endpoint, the JSON of what it got, in order. */
export function bodiesOf(posthorn: Harness): Record<string, unknown[]> {
  const found: Record<string, unknown[]> = {};
  for (const { endpointId, body } of posthorn.deliveries())
    (found[endpointId] ??= []).push(body === null ? null : JSON.parse(body.toString()));
  return found;
}

/** Runs the function that a transformation's code names. */
export function runnerOf(
  functions: Record<string, (job: SandboxJob) => Partial<SandboxResult>>,
): TransformationRunner & {
  readonly jobs: SandboxJob[];
} {
  const jobs: SandboxJob[] = [];
  return {
    jobs,
    room: () => Promise.resolve(),
    forget: () => undefined,
    run(job) {
      jobs.push(job);
      const { payload, headers } = job.input;
      const done = { kind: 'done', payload, headers, cancelled: false, logs: [], cpuMs: 1 };
      return Promise.resolve({ ...done, ...functions[job.code]?.(job) } as SandboxResult);
    },
  };
}
