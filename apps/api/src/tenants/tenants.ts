import type { Tenant, TenantRepository } from '#libs/persistence';
import type { z } from 'zod';
import { checkMatch, type Precondition } from '../http/entity-tags.js';
import { checkId, dateTime, listed } from '../http/list-query.js';
import type { Publication } from '../outbox/publish-outbox.js';
import { AppError, notFound } from '../problem/app-error.js';
import type { createTenantBody, listTenantsQuery, TenantAnswer } from './tenant.dto.js';

export class Tenants {
  constructor(
    private readonly repository: TenantRepository,
    private readonly publication: Publication,
    private readonly now: () => number,
  ) {}

  async create(body: z.output<typeof createTenantBody>): Promise<TenantAnswer> {
    const tenant = await this.repository.create(body, this.now());
    if (tenant === null) {
      throw new AppError('already-exists', `There is a tenant ${JSON.stringify(body.id)} already.`, {
        errors: [{ pointer: '/id', code: 'already-exists', detail: 'It is taken.' }],
      });
    }
    // Whoever gets this answer may send events at once: then its record should be in the topic.
    await this.publication.published();
    return answerOf(tenant);
  }

  async list(query: z.output<typeof listTenantsQuery>): Promise<{ data: TenantAnswer[]; nextCursor: string | null }> {
    const { data, nextCursor } = await listed(() => this.repository.list(query));
    return { data: data.map(answerOf), nextCursor };
  }

  async get(id: string): Promise<TenantAnswer> {
    const tenant = await this.repository.get(checkId('tenant', id));
    if (tenant === null) throw notFound('tenant', id);
    return answerOf(tenant);
  }

  /** Tenants do not change: what was made anew under the same id is another one. */
  async delete(id: string, precondition: Precondition = null): Promise<void> {
    if (precondition !== null) checkMatch(precondition, tenantTag(await this.get(id)));
    const outcome = await this.repository.delete(checkId('tenant', id), this.now());
    switch (outcome) {
      case 'not-found':
        throw notFound('tenant', id);
      case 'has-endpoints':
        throw new AppError('tenant-has-endpoints', 'Delete its endpoints first.');
      case 'deleted':
        await this.publication.published();
    }
  }
}

export const tenantTag = ({ updatedAt }: { readonly updatedAt: string }): string => `"${Date.parse(updatedAt)}"`;

const answerOf = ({ id, name, createdAt, updatedAt }: Tenant): TenantAnswer => ({
  id,
  name,
  createdAt: dateTime(createdAt),
  updatedAt: dateTime(updatedAt),
});
