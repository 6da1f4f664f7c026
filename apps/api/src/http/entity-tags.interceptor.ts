import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { tap, type Observable } from 'rxjs';
import { operationOf } from '../openapi/operation.js';

/** `ETag` on the answers of routes that document one. */
@Injectable()
export class EntityTags implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const etag = operationOf(context.getHandler())?.etag;
    if (etag === undefined) return next.handle();
    const reply = context.switchToHttp().getResponse<FastifyReply>();
    return next
      .handle()
      .pipe(tap((answer: Readonly<Record<string, unknown>>) => void reply.header('etag', etag(answer))));
  }
}
