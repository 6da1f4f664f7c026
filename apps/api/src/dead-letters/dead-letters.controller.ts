import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import { Needs } from '../access/needs.js';
import { Documented } from '../openapi/operation.js';
import { checkBody, checkQuery } from '../problem/check-input.js';
import { DeadLetterReplays } from '../replays/dead-letter-replays.js';
import type { ReplayAnswer } from '../replays/replay-answer.js';
import { resendBody } from '../replays/replay.dto.js';
import { discardAllBody, discardBody, listDeadLettersQuery, replayDeadLettersBody } from './dead-letter.dto.js';
import { DeadLetterDesk, type DeadLetterAnswer, type DeadLetterStory } from './dead-letters.js';
import { deadLetterOperations } from './dead-letter-operations.js';

/** Dead letters, as the projector has written them. */
@Controller('v1/dead-letters')
export class DeadLettersController {
  constructor(
    @Inject(DeadLetterDesk) private readonly desk: DeadLetterDesk,
    @Inject(DeadLetterReplays) private readonly replays: DeadLetterReplays,
  ) {}

  @Documented(deadLetterOperations.list)
  @Get()
  @Needs('dead-letters:read')
  list(@Query() query: unknown): Promise<{ data: readonly DeadLetterAnswer[]; nextCursor: string | null }> {
    return this.desk.list(checkQuery(listDeadLettersQuery, query));
  }

  @Documented(deadLetterOperations.get)
  @Get(':deliveryId')
  @Needs('dead-letters:read')
  get(@Param('deliveryId') deliveryId: string): Promise<DeadLetterStory> {
    return this.desk.get(deliveryId);
  }

  @Documented(deadLetterOperations.discardAll)
  @Post('discard')
  @Needs('dead-letters:write')
  @HttpCode(200)
  discardAll(@Body() body: unknown): Promise<{ readonly discarded: number }> {
    return this.desk.discardAll(checkBody(discardAllBody, body));
  }

  @Documented(deadLetterOperations.discard)
  @Post(':deliveryId/discard')
  @Needs('dead-letters:write')
  @HttpCode(200)
  discard(@Param('deliveryId') deliveryId: string, @Body() body: unknown): Promise<DeadLetterAnswer> {
    return this.desk.discard(deliveryId, checkBody(discardBody, body));
  }

  @Documented(deadLetterOperations.replayAll)
  @Post('replay')
  @Needs('dead-letters:write')
  @HttpCode(202)
  replayAll(@Body() body: unknown): Promise<ReplayAnswer> {
    const { deliveryIds, filter, ...how } = checkBody(replayDeadLettersBody, body);
    return deliveryIds === undefined
      ? this.replays.begin(filter ?? {}, how)
      : this.replays.beginChosen(deliveryIds, how);
  }

  @Documented(deadLetterOperations.replay)
  @Post(':deliveryId/replay')
  @Needs('dead-letters:write')
  @HttpCode(202)
  replay(@Param('deliveryId') deliveryId: string, @Body() body: unknown): Promise<ReplayAnswer> {
    return this.replays.beginOne(deliveryId, checkBody(resendBody, body) ?? {});
  }
}
