import { Controller, Get, Inject, Query } from '@nestjs/common';
import { Needs } from '../access/needs.js';
import { Deliveries, type EndpointStatsAnswer } from '../deliveries/deliveries.js';
import { endpointStatsQuery } from '../deliveries/delivery.dto.js';
import { Documented } from '../openapi/operation.js';
import { checkQuery } from '../problem/check-input.js';
import { deliveryOperations } from '../deliveries/delivery-operations.js';

@Controller('v1/stats')
export class StatsController {
  constructor(@Inject(Deliveries) private readonly deliveries: Deliveries) {}

  @Documented(deliveryOperations.stats)
  @Get('endpoints')
  @Needs('stats:read')
  async endpoints(@Query() query: unknown): Promise<{ data: readonly EndpointStatsAnswer[] }> {
    return { data: await this.deliveries.stats(checkQuery(endpointStatsQuery, query).tenantId) };
  }
}
