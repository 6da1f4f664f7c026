import { Body, Controller, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { EndpointRepository } from '#libs/persistence';
import { Needs } from '../access/needs.js';
import { checkId } from '../http/list-query.js';
import { notFound } from '../problem/app-error.js';
import { Documented } from '../openapi/operation.js';
import { checkBody } from '../problem/check-input.js';
import { DeadLetterReplays } from './dead-letter-replays.js';
import type { ReplayAnswer } from './replay-answer.js';
import { recoverBody, resendBody } from './replay.dto.js';
import { Resends } from './resends.js';
import { replayOperations } from './replay-operations.js';

/** Replays that are named by what they are for. */
@Controller('v1')
export class SendAgainController {
  constructor(
    @Inject(DeadLetterReplays) private readonly deadLetters: DeadLetterReplays,
    @Inject(Resends) private readonly resends: Resends,
    @Inject(EndpointRepository) private readonly endpoints: EndpointRepository,
  ) {}

  /** Everything that the endpoint's deliveries lost from a time on: what was given up then or later, and is open. */
  @Documented(replayOperations.recover)
  @Post('endpoints/:id/recover')
  @Needs('replays:write')
  @HttpCode(202)
  async recover(@Param('id') id: string, @Body() body: unknown): Promise<ReplayAnswer> {
    const { since, ...how } = checkBody(recoverBody, body);
    if ((await this.endpoints.get(checkId('endpoint', id))) === null) throw notFound('endpoint', id);
    return this.deadLetters.begin({ endpointId: id, from: since }, how);
  }

  @Documented(replayOperations.resend)
  @Post('deliveries/:id/resend')
  @Needs('replays:write')
  @HttpCode(202)
  resend(@Param('id') id: string, @Body() body: unknown): Promise<ReplayAnswer> {
    return this.resends.begin(id, checkBody(resendBody, body) ?? {});
  }
}
