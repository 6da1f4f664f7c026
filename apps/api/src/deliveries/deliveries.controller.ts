import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { Needs } from '../access/needs.js';
import { Documented } from '../openapi/operation.js';
import { checkQuery } from '../problem/check-input.js';
import { Deliveries, type AttemptAnswer, type DeliveryAnswer, type DeliveryWithAttempts } from './deliveries.js';
import { listAttemptsQuery, listDeliveriesQuery } from './delivery.dto.js';
import { deliveryOperations } from './delivery-operations.js';

/** The delivery log, as the projector has written it. */
@Controller('v1/deliveries')
export class DeliveriesController {
  constructor(@Inject(Deliveries) private readonly deliveries: Deliveries) {}

  @Documented(deliveryOperations.list)
  @Get()
  @Needs('deliveries:read')
  list(@Query() query: unknown): Promise<{ data: readonly DeliveryAnswer[]; nextCursor: string | null }> {
    return this.deliveries.list(checkQuery(listDeliveriesQuery, query));
  }

  @Documented(deliveryOperations.get)
  @Get(':id')
  @Needs('deliveries:read')
  get(@Param('id') id: string): Promise<DeliveryWithAttempts> {
    return this.deliveries.get(id);
  }

  @Documented(deliveryOperations.attempts)
  @Get(':id/attempts')
  @Needs('deliveries:read')
  attempts(
    @Param('id') id: string,
    @Query() query: unknown,
  ): Promise<{ data: readonly AttemptAnswer[]; nextCursor: string | null }> {
    return this.deliveries.attempts(id, checkQuery(listAttemptsQuery, query));
  }
}
