import { Body, Controller, Delete, Get, Header, Headers, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { Needs } from '../access/needs.js';
import { ifMatch } from '../http/entity-tags.js';
import { Documented } from '../openapi/operation.js';
import { checkBody } from '../problem/check-input.js';
import { secretOperations } from './secret-operations.js';
import { EndpointSecrets } from './secrets.js';
import { rotateSecretBody, type PublicKeyAnswer, type RotatedAnswer, type SecretAnswer } from './secrets.dto.js';

@Controller('v1/endpoints/:id')
export class EndpointSecretsController {
  constructor(@Inject(EndpointSecrets) private readonly secrets: EndpointSecrets) {}

  /** The only answer that ever holds the new secret. */
  @Documented(secretOperations.rotate)
  @Post('secrets/rotate')
  @Needs('endpoints:write')
  @Header('cache-control', 'no-store')
  rotate(@Param('id') id: string, @Body() body: unknown, @Headers('if-match') match?: string): Promise<RotatedAnswer> {
    return this.secrets.rotate(id, checkBody(rotateSecretBody, body === undefined ? {} : body), ifMatch(match));
  }

  /** Those in force, in the order in which they sign. */
  @Documented(secretOperations.list)
  @Get('secrets')
  @Needs('endpoints:read')
  list(@Param('id') id: string): Promise<{ data: readonly SecretAnswer[] }> {
    return this.secrets.list(id);
  }

  @Documented(secretOperations.end)
  @Delete('secrets/:secretId')
  @Needs('endpoints:write')
  @HttpCode(204)
  async end(
    @Param('id') id: string,
    @Param('secretId') secretId: string,
    @Headers('if-match') match?: string,
  ): Promise<void> {
    await this.secrets.end(id, secretId, ifMatch(match));
  }

  @Documented(secretOperations.publicKeys)
  @Get('public-keys')
  @Needs('endpoints:read')
  publicKeys(@Param('id') id: string): Promise<{ data: readonly PublicKeyAnswer[] }> {
    return this.secrets.publicKeys(id);
  }
}
