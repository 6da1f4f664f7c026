import { Body, Controller, Delete, Get, Header, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import { Documented } from '../openapi/operation.js';
import { checkBody, checkQuery } from '../problem/check-input.js';
import {
  createKeyBody,
  createPortalTokenBody,
  listKeysQuery,
  type CreatedKeyAnswer,
  type KeyAnswer,
  type PortalTokenAnswer,
} from './api-key.dto.js';
import { KeyDesk } from './api-keys.js';
import { FromCaller, type Caller } from './caller.js';
import { keyOperations } from './key-operations.js';
import { Needs } from './needs.js';
import { PortalTokens } from './portal-tokens.js';

@Controller('v1')
export class ApiKeysController {
  constructor(
    @Inject(KeyDesk) private readonly desk: KeyDesk,
    @Inject(PortalTokens) private readonly portalTokens: PortalTokens,
  ) {}

  /** The only answer that ever holds the key. */
  @Documented(keyOperations.create)
  @Post('keys')
  @Needs('keys:write')
  @Header('cache-control', 'no-store')
  create(@Body() body: unknown, @FromCaller() caller: Caller): Promise<CreatedKeyAnswer> {
    return this.desk.create(checkBody(createKeyBody, body), caller);
  }

  @Documented(keyOperations.list)
  @Get('keys')
  @Needs('keys:read')
  list(@Query() query: unknown): Promise<{ data: readonly KeyAnswer[]; nextCursor: string | null }> {
    return this.desk.list(checkQuery(listKeysQuery, query));
  }

  @Documented(keyOperations.get)
  @Get('keys/:id')
  @Needs('keys:read')
  get(@Param('id') id: string): Promise<KeyAnswer> {
    return this.desk.get(id);
  }

  @Documented(keyOperations.revoke)
  @Delete('keys/:id')
  @Needs('keys:write')
  @HttpCode(204)
  async revoke(@Param('id') id: string): Promise<void> {
    await this.desk.revoke(id);
  }

  @Documented(keyOperations.mint)
  @Post('tenants/:id/portal-tokens')
  @Needs('portal-tokens:write')
  @Header('cache-control', 'no-store')
  mint(@Param('id') id: string, @Body() body: unknown, @FromCaller() caller: Caller): Promise<PortalTokenAnswer> {
    return this.portalTokens.mint(id, checkBody(createPortalTokenBody, body), caller);
  }

  @Documented(keyOperations.revokeTokens)
  @Delete('tenants/:id/portal-tokens')
  @Needs('portal-tokens:write')
  @HttpCode(204)
  async revokeTokens(@Param('id') id: string): Promise<void> {
    await this.portalTokens.revokeAll(id);
  }

  @Documented(keyOperations.revokeToken)
  @Delete('tenants/:id/portal-tokens/:tokenId')
  @Needs('portal-tokens:write')
  @HttpCode(204)
  async revokeToken(@Param('id') id: string, @Param('tokenId') tokenId: string): Promise<void> {
    await this.portalTokens.revoke(id, tokenId);
  }
}
