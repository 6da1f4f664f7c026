import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import { checkBody, checkQuery } from '../problem/check-input.js';
import { discardAllBody, discardBody, listDeadLettersQuery } from './dead-letter.dto.js';
import { DeadLetterDesk, type DeadLetterAnswer, type DeadLetterStory } from './dead-letters.js';

/** Dead letters, as the projector has written them. */
@Controller('v1/dead-letters')
export class DeadLettersController {
  constructor(@Inject(DeadLetterDesk) private readonly desk: DeadLetterDesk) {}

  @Get()
  list(@Query() query: unknown): Promise<{ data: readonly DeadLetterAnswer[]; nextCursor: string | null }> {
    return this.desk.list(checkQuery(listDeadLettersQuery, query));
  }

  @Get(':deliveryId')
  get(@Param('deliveryId') deliveryId: string): Promise<DeadLetterStory> {
    return this.desk.get(deliveryId);
  }

  @Post('discard')
  @HttpCode(200)
  discardAll(@Body() body: unknown): Promise<{ readonly discarded: number }> {
    return this.desk.discardAll(checkBody(discardAllBody, body));
  }

  @Post(':deliveryId/discard')
  @HttpCode(200)
  discard(@Param('deliveryId') deliveryId: string, @Body() body: unknown): Promise<DeadLetterAnswer> {
    return this.desk.discard(deliveryId, checkBody(discardBody, body));
  }
}
