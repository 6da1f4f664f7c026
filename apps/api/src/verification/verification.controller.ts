import { Controller, Get, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { Needs } from '../access/needs.js';
import { Documented } from '../openapi/operation.js';
import { verificationOperations } from './verification-operations.js';
import type { VerificationAnswer } from './verification.dto.js';
import { Verify } from './verify.js';

@Controller('v1/endpoints/:id')
export class EndpointVerificationController {
  constructor(@Inject(Verify) private readonly verification: Verify) {}

  @Documented(verificationOperations.get)
  @Get('verification')
  @Needs('endpoints:read')
  get(@Param('id') id: string): Promise<VerificationAnswer> {
    return this.verification.get(id);
  }

  @Documented(verificationOperations.verify)
  @Post('verify')
  @Needs('endpoints:write')
  @HttpCode(200)
  verify(@Param('id') id: string): Promise<VerificationAnswer> {
    return this.verification.verify(id);
  }
}
