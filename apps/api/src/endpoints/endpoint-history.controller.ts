import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { Needs } from '../access/needs.js';
import { Documented } from '../openapi/operation.js';
import { checkQuery } from '../problem/check-input.js';
import { EndpointVersions, type VersionAnswer } from './endpoint-history.js';
import { listHistoryQuery } from './history.dto.js';
import { endpointOperations } from './endpoint-operations.js';

@Controller('v1/endpoints/:id/history')
export class EndpointHistoryController {
  constructor(@Inject(EndpointVersions) private readonly versions: EndpointVersions) {}

  /** Newest first; of deleted endpoints too. */
  @Documented(endpointOperations.history)
  @Get()
  @Needs('endpoints:read')
  list(
    @Param('id') id: string,
    @Query() query: unknown,
  ): Promise<{ data: readonly VersionAnswer[]; nextCursor: string | null }> {
    return this.versions.list(id, checkQuery(listHistoryQuery, query));
  }
}
