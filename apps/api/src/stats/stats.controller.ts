import { Controller, Get, Inject, Query } from '@nestjs/common';
import { Needs } from '../access/needs.js';
import { Deliveries, type EndpointStatsAnswer } from '../deliveries/deliveries.js';
import { deliveryOperations } from '../deliveries/delivery-operations.js';
import { endpointStatsQuery } from '../deliveries/delivery.dto.js';
import { Documented } from '../openapi/operation.js';
import { checkQuery } from '../problem/check-input.js';
import { statsQuery, type StatsPage } from './stats.dto.js';
import { statsOperations } from './stats-operations.js';
import { StatsDesk } from './stats.js';

@Controller('v1/stats')
export class StatsController {
  constructor(
    @Inject(Deliveries) private readonly deliveries: Deliveries,
    @Inject(StatsDesk) private readonly desk: StatsDesk,
  ) {}

  @Documented(statsOperations.list)
  @Get()
  @Needs('stats:read')
  list(@Query() query: unknown): Promise<StatsPage> {
    return this.desk.list(checkQuery(statsQuery, query));
  }

  /** Read from the delivery log, since it also tells what is pending, halted or was retried by now. */
  @Documented(deliveryOperations.stats)
  @Get('endpoints')
  @Needs('stats:read')
  async endpoints(@Query() query: unknown): Promise<{ data: readonly EndpointStatsAnswer[] }> {
    return { data: await this.deliveries.stats(checkQuery(endpointStatsQuery, query).tenantId) };
  }
}
