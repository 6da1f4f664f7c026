import { Body, Controller, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { Needs } from '../access/needs.js';
import { Documented } from '../openapi/operation.js';
import { checkBody } from '../problem/check-input.js';
import { sendTestBody, type TestAnswer } from './test-send.dto.js';
import { testSendOperations } from './test-send-operations.js';
import { TestSends } from './test-sends.js';

@Controller('v1/endpoints/:id/test')
export class TestSendsController {
  constructor(@Inject(TestSends) private readonly tests: TestSends) {}

  /** Answers when the endpoint has. */
  @Documented(testSendOperations.send)
  @Post()
  @Needs('endpoints:write')
  @HttpCode(200)
  send(@Param('id') id: string, @Body() body: unknown): Promise<TestAnswer> {
    return this.tests.send(id, checkBody(sendTestBody, body ?? {}));
  }
}
