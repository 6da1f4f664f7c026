import {
  Body,
  Controller,
  Delete,
  Get,
  Header,
  Headers,
  HttpCode,
  Inject,
  Param,
  Patch,
  Post,
  Query,
} from '@nestjs/common';
import type { NetworkRules, VerificationRule } from '#libs/core';
import { Needs } from '../access/needs.js';
import { ifMatch } from '../http/entity-tags.js';
import { Documented } from '../openapi/operation.js';
import { checkBody, checkQuery } from '../problem/check-input.js';
import {
  createEndpointBody,
  listEndpointsQuery,
  patchEndpointBody,
  type CreatedAnswer,
  type EndpointAnswer,
} from './endpoint.dto.js';
import { Endpoints } from './endpoints.js';
import { endpointOperations } from './endpoint-operations.js';

/** What URLs may be, and how they are verified. */
export interface EndpointRules {
  readonly network: NetworkRules;
  readonly verification: VerificationRule;
}

export const ENDPOINT_RULES = Symbol('EndpointRules');

@Controller('v1/endpoints')
export class EndpointsController {
  readonly #createBody: ReturnType<typeof createEndpointBody>;
  readonly #patchBody: ReturnType<typeof patchEndpointBody>;

  constructor(
    @Inject(Endpoints) private readonly endpoints: Endpoints,
    @Inject(ENDPOINT_RULES) { network, verification }: EndpointRules,
  ) {
    this.#createBody = createEndpointBody(network, verification);
    this.#patchBody = patchEndpointBody(network, verification);
  }

  /** The only answer that ever holds the secret. */
  @Documented(endpointOperations.create)
  @Post()
  @Needs('endpoints:write')
  @Header('cache-control', 'no-store')
  create(@Body() body: unknown): Promise<CreatedAnswer> {
    return this.endpoints.create(checkBody(this.#createBody, body));
  }

  @Documented(endpointOperations.list)
  @Get()
  @Needs('endpoints:read')
  list(@Query() query: unknown): Promise<{ data: readonly EndpointAnswer[]; nextCursor: string | null }> {
    return this.endpoints.list(checkQuery(listEndpointsQuery, query));
  }

  @Documented(endpointOperations.get)
  @Get(':id')
  @Needs('endpoints:read')
  get(@Param('id') id: string): Promise<EndpointAnswer> {
    return this.endpoints.get(id);
  }

  @Documented(endpointOperations.patch)
  @Patch(':id')
  @Needs('endpoints:write')
  patch(@Param('id') id: string, @Body() body: unknown, @Headers('if-match') match?: string): Promise<EndpointAnswer> {
    return this.endpoints.patch(id, checkBody(this.#patchBody, body), ifMatch(match));
  }

  /** Events that come meanwhile wait in the log. */
  @Documented(endpointOperations.pause)
  @Post(':id/pause')
  @Needs('endpoints:write')
  @HttpCode(200)
  pause(@Param('id') id: string): Promise<EndpointAnswer> {
    return this.endpoints.patch(id, { state: 'paused' });
  }

  @Documented(endpointOperations.resume)
  @Post(':id/resume')
  @Needs('endpoints:write')
  @HttpCode(200)
  resume(@Param('id') id: string): Promise<EndpointAnswer> {
    return this.endpoints.patch(id, { state: 'active' });
  }

  @Documented(endpointOperations.disable)
  @Post(':id/disable')
  @Needs('endpoints:write')
  @HttpCode(200)
  disable(@Param('id') id: string): Promise<EndpointAnswer> {
    return this.endpoints.patch(id, { state: 'disabled' });
  }

  @Documented(endpointOperations.enable)
  @Post(':id/enable')
  @Needs('endpoints:write')
  @HttpCode(200)
  enable(@Param('id') id: string): Promise<EndpointAnswer> {
    return this.endpoints.patch(id, { state: 'active' });
  }

  @Documented(endpointOperations.delete)
  @Delete(':id')
  @Needs('endpoints:write')
  @HttpCode(204)
  async delete(@Param('id') id: string, @Headers('if-match') match?: string): Promise<void> {
    await this.endpoints.delete(id, ifMatch(match));
  }
}
