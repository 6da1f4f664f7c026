import { Body, Controller, Get, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { Needs } from '../access/needs.js';
import { Documented } from '../openapi/operation.js';
import { checkBody } from '../problem/check-input.js';
import { Endpoints } from './endpoints.js';
import { previewBody, type RetryPreviewAnswer } from './retry.dto.js';
import { endpointOperations } from './endpoint-operations.js';

/** What a retry policy amounts to. */
@Controller('v1')
export class RetryPreviewController {
  constructor(@Inject(Endpoints) private readonly endpoints: Endpoints) {}

  @Documented(endpointOperations.retryPreview)
  @Get('endpoints/:id/retry-preview')
  @Needs('endpoints:read')
  ofEndpoint(@Param('id') id: string): Promise<RetryPreviewAnswer> {
    return this.endpoints.retryPreview(id);
  }

  /** Of a policy that no endpoint has yet. */
  @Documented(endpointOperations.previewRetry)
  @Post('retry-preview')
  @Needs('endpoints:read')
  @HttpCode(200)
  ofPolicy(@Body() body: unknown): RetryPreviewAnswer {
    return this.endpoints.previewOf(checkBody(previewBody, body).retry);
  }
}
