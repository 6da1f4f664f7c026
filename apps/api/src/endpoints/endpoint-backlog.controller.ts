import { Controller, Get, Inject, Param } from '@nestjs/common';
import { Needs } from '../access/needs.js';
import { EndpointBacklog, type BacklogAnswer } from './endpoint-backlog.js';

@Controller('v1/endpoints/:id/backlog')
export class EndpointBacklogController {
  constructor(@Inject(EndpointBacklog) private readonly backlog: EndpointBacklog) {}

  @Get()
  @Needs('endpoints:read')
  get(@Param('id') id: string): Promise<BacklogAnswer> {
    return this.backlog.get(id);
  }
}
