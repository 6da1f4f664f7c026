import { Controller, Get, Header, HttpCode, Inject, Param, Post, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { handshakeHeaders } from '#libs/core';
import { Documented } from '../openapi/operation.js';
import { callbackPath } from './callback-path.js';
import { VerificationCallbacks } from './callbacks.js';
import { verificationOperations } from './verification-operations.js';

/** Without a key: the URL is one. Both methods are asked for by CloudEvents webhooks, 4.1.3: GET for people. */
@Controller(callbackPath)
export class VerificationCallbacksController {
  constructor(@Inject(VerificationCallbacks) private readonly callbacks: VerificationCallbacks) {}

  @Documented(verificationOperations.open)
  @Get(':token')
  @Header('cache-control', 'no-store')
  open(@Param('token') token: string, @Req() request: FastifyRequest): Promise<{ state: 'verified' }> {
    return this.#call(token, request);
  }

  @Documented(verificationOperations.call)
  @Post(':token')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  call(@Param('token') token: string, @Req() request: FastifyRequest): Promise<{ state: 'verified' }> {
    return this.#call(token, request);
  }

  #call(token: string, { headers, ip, id: requestId }: FastifyRequest): Promise<{ state: 'verified' }> {
    const given = headers[handshakeHeaders.allowedRate];
    const allowedRate = Array.isArray(given) ? given.join(', ') : given;
    return this.callbacks.call({ token, allowedRate, ip, requestId });
  }
}
