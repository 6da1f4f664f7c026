import { Body, Controller, Get, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { Needs } from '../access/needs.js';
import { checkBody } from '../problem/check-input.js';
import { Endpoints } from './endpoints.js';
import { previewBody, type RetryPreviewAnswer } from './retry.dto.js';

/** What a retry policy amounts to. */
@Controller('v1')
export class RetryPreviewController {
  constructor(@Inject(Endpoints) private readonly endpoints: Endpoints) {}

  @Get('endpoints/:id/retry-preview')
  @Needs('endpoints:read')
  ofEndpoint(@Param('id') id: string): Promise<RetryPreviewAnswer> {
    return this.endpoints.retryPreview(id);
  }

  /** Of a policy that no endpoint has yet. */
  @Post('retry-preview')
  @Needs('endpoints:read')
  @HttpCode(200)
  ofPolicy(@Body() body: unknown): RetryPreviewAnswer {
    return this.endpoints.previewOf(checkBody(previewBody, body).retry);
  }
}
