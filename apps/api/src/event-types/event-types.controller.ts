import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { Needs } from '../access/needs.js';
import { Documented } from '../openapi/operation.js';
import { checkQuery } from '../problem/check-input.js';
import { differenceQuery, listEventTypesQuery } from './event-type.dto.js';
import { EventTypes, type DifferenceAnswer, type EventTypeAnswer, type EventVersionAnswer } from './event-types.js';
import { eventTypeOperations } from './event-type-operations.js';

/** What events there are. Nothing here depends on a tenant. */
@Controller('v1/event-types')
export class EventTypesController {
  constructor(@Inject(EventTypes) private readonly eventTypes: EventTypes) {}

  @Documented(eventTypeOperations.list)
  @Get()
  @Needs('event-types:read')
  list(@Query() query: unknown): Promise<{ data: readonly EventTypeAnswer[]; nextCursor: string | null }> {
    return this.eventTypes.list(checkQuery(listEventTypesQuery, query));
  }

  /** Named routes go before `:type`: a type of this name is read by its versions only. */
  @Documented(eventTypeOperations.asyncApi)
  @Get('asyncapi.json')
  @Needs('event-types:read')
  asyncApi(): Promise<object> {
    return this.eventTypes.asyncApi();
  }

  @Documented(eventTypeOperations.openApi)
  @Get('openapi.json')
  @Needs('event-types:read')
  openApi(): Promise<object> {
    return this.eventTypes.openApi();
  }

  @Documented(eventTypeOperations.get)
  @Get(':type')
  @Needs('event-types:read')
  get(@Param('type') type: string): Promise<EventTypeAnswer> {
    return this.eventTypes.get(type);
  }

  @Documented(eventTypeOperations.version)
  @Get(':type/versions/:version')
  @Needs('event-types:read')
  version(@Param('type') type: string, @Param('version') version: string): Promise<EventVersionAnswer> {
    return this.eventTypes.version(type, version);
  }

  @Documented(eventTypeOperations.difference)
  @Get(':type/versions/:version/difference')
  @Needs('event-types:read')
  difference(
    @Param('type') type: string,
    @Param('version') version: string,
    @Query() query: unknown,
  ): Promise<DifferenceAnswer> {
    return this.eventTypes.difference(type, version, checkQuery(differenceQuery, query).to);
  }
}
