import { z } from 'zod';
import { identifier, listQuery } from '../http/list-query.js';

export const deliveryStatus = z.enum(['pending', 'halted', 'delivered', 'dead-lettered', 'dropped']).meta({
  description: 'pending: it will be tried again. halted: it waits until someone decides.',
  example: 'delivered',
});

export const listDeliveriesQuery = z.strictObject({
  tenantId: identifier('Only those of this tenant.', 'acme').optional(),
  endpointId: identifier('Only those to this endpoint.', 'ep_019ab3f2c41e7c3f9d1f2a7c5b6e8d90').optional(),
  status: deliveryStatus.optional(),
  eventType: identifier('Only those of this event type.', 'task.updated').optional(),
  ...listQuery,
});

export const endpointStatsQuery = z.strictObject({
  tenantId: identifier('Only endpoints of this tenant.', 'acme').optional(),
});

export type ListDeliveriesQuery = z.output<typeof listDeliveriesQuery>;
