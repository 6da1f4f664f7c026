import { Controller, Get, Inject, Param } from '@nestjs/common';
import { Needs } from '../access/needs.js';
import { Documented } from '../openapi/operation.js';
import { EndpointBacklog, type BacklogAnswer } from './endpoint-backlog.js';
import { endpointOperations } from './endpoint-operations.js';

@Controller('v1/endpoints/:id/backlog')
export class EndpointBacklogController {
  constructor(@Inject(EndpointBacklog) private readonly backlog: EndpointBacklog) {}

  @Documented(endpointOperations.backlog)
  @Get()
  @Needs('endpoints:read')
  get(@Param('id') id: string): Promise<BacklogAnswer> {
    return this.backlog.get(id);
  }
}
