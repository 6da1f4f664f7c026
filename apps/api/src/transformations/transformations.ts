import { hash } from 'node:crypto';
import type { z } from 'zod';
import { SandboxFull, type CodeCheck, type Sandbox, type SandboxFailed } from '#libs/sandbox';
import type {
  Page,
  PageRequest,
  Transformation,
  TransformationRepository,
  TransformationSummary,
  TransformationUpdate,
  VersionSummary,
} from '#libs/persistence';
import { preconditionFailed, type Precondition } from '../http/entity-tags.js';
import { checkId, dateTime, listed } from '../http/list-query.js';
import type { Publication } from '../outbox/publish-outbox.js';
import { AppError, notFound } from '../problem/app-error.js';
import {
  versionOf,
  type createTransformationBody,
  type listTransformationsQuery,
  type patchTransformationBody,
  type TransformationAnswer,
  type TransformationSummaryAnswer,
  type VersionAnswer,
  type VersionSummaryAnswer,
} from './transformation.dto.js';

export interface TransformationPorts {
  readonly repository: TransformationRepository;
  readonly sandbox: Pick<Sandbox, 'check'>;
  readonly publication: Publication;
  readonly now: () => number;
  readonly newId: () => string;
}

/** Code is evaluated before it is stored: what is stored can be run. */
export class Transformations {
  constructor(private readonly ports: TransformationPorts) {}

  async create({ tenantId, name, code }: z.output<typeof createTransformationBody>): Promise<TransformationAnswer> {
    await this.#check(code);
    const { repository, newId, now } = this.ports;
    const created = await repository.create({ transformationId: `tr_${newId()}`, tenantId, name, code }, now());
    if (created === null) {
      throw new AppError('unknown-tenant', `There is no tenant ${JSON.stringify(tenantId)}.`, {
        errors: [{ pointer: '/tenantId', code: 'unknown-tenant', detail: 'There is no such tenant.' }],
      });
    }
    await this.ports.publication.published();
    return answerOf(created);
  }

  async list(query: z.output<typeof listTransformationsQuery>): Promise<Page<TransformationSummaryAnswer>> {
    const { data, nextCursor } = await listed(() => this.ports.repository.list(query));
    return { data: data.map(summaryAnswerOf), nextCursor };
  }

  async get(id: string): Promise<TransformationAnswer> {
    const found = await this.ports.repository.get(checkId('transformation', id));
    if (found === null) throw notFound('transformation', id);
    return answerOf(found);
  }

  async patch(
    id: string,
    changes: z.output<typeof patchTransformationBody>,
    precondition: Precondition = null,
  ): Promise<TransformationAnswer> {
    checkId('transformation', id);
    if (changes.code !== undefined) await this.#check(changes.code);
    const { repository, now } = this.ports;
    const update = await repository.update(id, changes, now(), (one) => isSeen(precondition, one));
    return this.#changed(id, update);
  }

  async delete(id: string, precondition: Precondition = null): Promise<void> {
    const { repository, now } = this.ports;
    switch (await repository.delete(checkId('transformation', id), now(), (one) => isSeen(precondition, one))) {
      case 'unexpected':
        throw preconditionFailed(transformationTag(await this.get(id)));
      case 'not-found':
        throw notFound('transformation', id);
      case 'in-use':
        throw new AppError('transformation-in-use', 'Take it from the endpoints that name it first.');
      case 'deleted':
        await this.ports.publication.published();
    }
  }

  async versions(id: string, page: PageRequest): Promise<Page<VersionSummaryAnswer>> {
    const found = await listed(() => this.ports.repository.versions(checkId('transformation', id), page));
    if (found === null) throw notFound('transformation', id);
    return { data: found.data.map(versionAnswerOf), nextCursor: found.nextCursor };
  }

  async version(id: string, text: string): Promise<VersionAnswer> {
    const version = this.#versionOf(text);
    const found = await this.ports.repository.version(checkId('transformation', id), version);
    if (found === null) throw notFound('version', text);
    return { ...versionAnswerOf(found), code: found.code };
  }

  async restore(id: string, text: string): Promise<TransformationAnswer> {
    const version = this.#versionOf(text);
    const { repository, now } = this.ports;
    return this.#changed(id, await repository.restore(checkId('transformation', id), version, now()), text);
  }

  async #changed(id: string, update: TransformationUpdate, version = ''): Promise<TransformationAnswer> {
    switch (update.outcome) {
      case 'not-found':
        throw notFound('transformation', id);
      case 'no-such-version':
        throw notFound('version', version);
      case 'unexpected':
        throw preconditionFailed(transformationTag(update.transformation));
      case 'updated':
        await this.ports.publication.published();
        return answerOf(update.transformation);
      case 'unchanged':
        return answerOf(update.transformation);
    }
  }

  #versionOf(text: string): number {
    const version = versionOf(text);
    if (version === null) throw notFound('version', text.slice(0, 100));
    return version;
  }

  async #check(code: string): Promise<void> {
    const check: CodeCheck = await inSandbox(() => this.ports.sandbox.check(code));
    if (check.kind === 'failed') throw unfitCode(check);
  }
}

/** Code and name are all that changes; of a name, what tells it from others. */
export const transformationTag = ({ version, name }: { readonly version: number; readonly name: string }): string =>
  `"${version}-${hash('sha256', name).slice(0, 16)}"`;

const isSeen = (precondition: Precondition, one: Transformation): boolean =>
  precondition === null || precondition(transformationTag(one));

/** A full queue is the caller's to wait for. */
export async function inSandbox<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof SandboxFull)) throw error;
    const options = { headers: { 'retry-after': '1' }, cause: error };
    throw new AppError('overloaded', 'Too much code waits to be run. Try again.', options);
  }
}

function unfitCode({ code, message, line }: SandboxFailed): AppError {
  const place = line === undefined ? {} : { line };
  return new AppError('invalid-body', 'The code cannot be run.', {
    errors: [{ pointer: '/code', code, detail: message, ...place }],
  });
}

const summaryAnswerOf = (one: TransformationSummary): TransformationSummaryAnswer => ({
  id: one.transformationId,
  tenantId: one.tenantId,
  name: one.name,
  version: one.version,
  createdAt: dateTime(one.createdAt),
  updatedAt: dateTime(one.updatedAt),
});

const answerOf = (one: Transformation): TransformationAnswer => ({ ...summaryAnswerOf(one), code: one.code });

const versionAnswerOf = ({ version, restoredFrom, createdAt }: VersionSummary): VersionSummaryAnswer => ({
  version,
  restoredFrom,
  createdAt: dateTime(createdAt),
});
