import { Body, Controller, Delete, Get, Header, Headers, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import { Needs } from '../access/needs.js';
import { ifMatch } from '../http/entity-tags.js';
import { Documented } from '../openapi/operation.js';
import { checkBody, checkQuery } from '../problem/check-input.js';
import { createTenantBody, listTenantsQuery, type TenantAnswer } from './tenant.dto.js';
import { Tenants } from './tenants.js';
import { tenantOperations } from './tenant-operations.js';

@Controller('v1/tenants')
export class TenantsController {
  constructor(@Inject(Tenants) private readonly tenants: Tenants) {}

  @Documented(tenantOperations.create)
  @Post()
  @Needs('tenants:write')
  @Header('cache-control', 'no-store')
  create(@Body() body: unknown): Promise<TenantAnswer> {
    return this.tenants.create(checkBody(createTenantBody, body));
  }

  @Documented(tenantOperations.list)
  @Get()
  @Needs('tenants:read')
  list(@Query() query: unknown): Promise<{ data: readonly TenantAnswer[]; nextCursor: string | null }> {
    return this.tenants.list(checkQuery(listTenantsQuery, query));
  }

  @Documented(tenantOperations.get)
  @Get(':id')
  @Needs('tenants:read')
  get(@Param('id') id: string): Promise<TenantAnswer> {
    return this.tenants.get(id);
  }

  @Documented(tenantOperations.delete)
  @Delete(':id')
  @Needs('tenants:write')
  @HttpCode(204)
  async delete(@Param('id') id: string, @Headers('if-match') match?: string): Promise<void> {
    await this.tenants.delete(id, ifMatch(match));
  }
}
