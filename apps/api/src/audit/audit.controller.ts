import { Controller, Get, Inject, Query } from '@nestjs/common';
import type { ChainedEntry } from '#libs/core';
import { AuditLog } from '#libs/persistence';
import { Needs } from '../access/needs.js';
import { dateTime, listed } from '../http/list-query.js';
import { Documented } from '../openapi/operation.js';
import { checkQuery } from '../problem/check-input.js';
import { auditOperations, listAuditQuery, type AuditAnswer } from './audit.dto.js';

@Controller('v1/audit')
export class AuditController {
  constructor(@Inject(AuditLog) private readonly log: AuditLog) {}

  @Documented(auditOperations.list)
  @Get()
  @Needs('audit:read')
  async list(@Query() query: unknown): Promise<{ data: readonly AuditAnswer[]; nextCursor: string | null }> {
    const { limit, cursor, ...filter } = checkQuery(listAuditQuery, query);
    const { data, nextCursor } = await listed(() => this.log.list(filter, { limit, cursor }));
    return { data: data.map(answerOf), nextCursor };
  }
}

const orNull = (text: string): string | null => (text === '' ? null : text);

const answerOf = ({ tenantId, at, actor, prevHash, hash, ...same }: ChainedEntry): AuditAnswer => ({
  tenantId: orNull(tenantId),
  at: dateTime(at),
  actor: { kind: actor.kind, id: orNull(actor.id), name: orNull(actor.name) },
  ...same,
  prevHash: prevHash.toString('hex'),
  hash: hash.toString('hex'),
});
