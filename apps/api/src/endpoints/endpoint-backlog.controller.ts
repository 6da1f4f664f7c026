import { Controller, Get, Inject, Param } from '@nestjs/common';
import { EndpointBacklog, type BacklogAnswer } from './endpoint-backlog.js';

@Controller('v1/endpoints/:id/backlog')
export class EndpointBacklogController {
  constructor(@Inject(EndpointBacklog) private readonly backlog: EndpointBacklog) {}

  @Get()
  get(@Param('id') id: string): Promise<BacklogAnswer> {
    return this.backlog.get(id);
  }
}
