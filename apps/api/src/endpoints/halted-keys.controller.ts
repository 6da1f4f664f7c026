import { Controller, Get, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import { Needs } from '../access/needs.js';
import { Documented } from '../openapi/operation.js';
import { checkQuery } from '../problem/check-input.js';
import { listHaltedKeysQuery } from './halted-key.dto.js';
import { EndpointHaltedKeys, type HaltedKeyAnswer, type ResolutionAnswer } from './halted-keys.js';
import { endpointOperations } from './endpoint-operations.js';

@Controller('v1/endpoints/:id/halted-keys')
export class HaltedKeysController {
  constructor(@Inject(EndpointHaltedKeys) private readonly halted: EndpointHaltedKeys) {}

  @Documented(endpointOperations.haltedKeys)
  @Get()
  @Needs('endpoints:read')
  list(
    @Param('id') id: string,
    @Query() query: unknown,
  ): Promise<{ data: readonly HaltedKeyAnswer[]; nextCursor: string | null }> {
    return this.halted.list(id, checkQuery(listHaltedKeysQuery, query));
  }

  /** Its retry schedule begins anew. */
  @Documented(endpointOperations.release)
  @Post(':deliveryId/release')
  @Needs('endpoints:write')
  @HttpCode(202)
  release(@Param('id') id: string, @Param('deliveryId') deliveryId: string): Promise<ResolutionAnswer> {
    return this.halted.resolve(id, deliveryId, 'release');
  }

  /** It becomes a dead letter, and the next of its key follows. */
  @Documented(endpointOperations.skip)
  @Post(':deliveryId/skip')
  @Needs('endpoints:write')
  @HttpCode(202)
  skip(@Param('id') id: string, @Param('deliveryId') deliveryId: string): Promise<ResolutionAnswer> {
    return this.halted.resolve(id, deliveryId, 'skip');
  }
}
