import { Body, Controller, Get, Headers, HttpCode, Inject, Param, Patch, Post, Query, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Needs } from '../access/needs.js';
import { ifMatch } from '../http/entity-tags.js';
import { Documented } from '../openapi/operation.js';
import { checkBody, checkQuery } from '../problem/check-input.js';
import { ReplayCreation } from './create-replay.js';
import type { DryRunAnswer } from './dry-run-answer.js';
import type { ReplayAnswer } from './replay-answer.js';
import { createReplayBody, listReplaysQuery, patchReplayBody } from './replay.dto.js';
import { ReplayDesk } from './replays.js';
import { replayOperations } from './replay-operations.js';

/** What is sent again out of the log. */
@Controller('v1/replays')
export class ReplaysController {
  constructor(
    @Inject(ReplayDesk) private readonly desk: ReplayDesk,
    @Inject(ReplayCreation) private readonly creation: ReplayCreation,
  ) {}

  @Documented(replayOperations.create)
  @Post()
  @Needs('replays:write')
  async create(
    @Body() body: unknown,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ReplayAnswer | DryRunAnswer> {
    const asked = checkBody(createReplayBody, body);
    if (asked.dryRun !== true) return this.creation.create(asked);
    reply.code(200);
    return this.creation.dryRun(asked);
  }

  @Documented(replayOperations.list)
  @Get()
  @Needs('replays:read')
  list(@Query() query: unknown): Promise<{ data: readonly ReplayAnswer[]; nextCursor: string | null }> {
    return this.desk.list(checkQuery(listReplaysQuery, query));
  }

  @Documented(replayOperations.get)
  @Get(':id')
  @Needs('replays:read')
  get(@Param('id') id: string): Promise<ReplayAnswer> {
    return this.desk.get(id);
  }

  @Documented(replayOperations.patch)
  @Patch(':id')
  @Needs('replays:write')
  patch(@Param('id') id: string, @Body() body: unknown, @Headers('if-match') match?: string): Promise<ReplayAnswer> {
    return this.desk.patch(id, checkBody(patchReplayBody, body), ifMatch(match));
  }

  @Documented(replayOperations.pause)
  @Post(':id/pause')
  @Needs('replays:write')
  @HttpCode(200)
  pause(@Param('id') id: string): Promise<ReplayAnswer> {
    return this.desk.pause(id);
  }

  @Documented(replayOperations.resume)
  @Post(':id/resume')
  @Needs('replays:write')
  @HttpCode(200)
  resume(@Param('id') id: string): Promise<ReplayAnswer> {
    return this.desk.resume(id);
  }

  @Documented(replayOperations.cancel)
  @Post(':id/cancel')
  @Needs('replays:write')
  @HttpCode(200)
  cancel(@Param('id') id: string): Promise<ReplayAnswer> {
    return this.desk.cancel(id);
  }
}
