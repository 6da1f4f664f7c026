import { Body, Controller, Get, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { Needs } from '../access/needs.js';
import { Documented } from '../openapi/operation.js';
import { checkBody } from '../problem/check-input.js';
import { VersionPreview, type PreviewAnswer } from './versions-preview.js';
import { previewBody } from './versions.dto.js';
import { TypeVersions, type VersionsAnswer } from './versions.js';
import { endpointOperations } from './endpoint-operations.js';

/** Versions of event types, as one endpoint gets them. */
@Controller('v1/endpoints/:id/versions')
export class EndpointVersionsController {
  constructor(
    @Inject(TypeVersions) private readonly versions: TypeVersions,
    @Inject(VersionPreview) private readonly previews: VersionPreview,
  ) {}

  @Documented(endpointOperations.versions)
  @Get()
  @Needs('endpoints:read')
  list(@Param('id') id: string): Promise<VersionsAnswer> {
    return this.versions.list(id);
  }

  /** The upgrade itself is a patch of `versions`. */
  @Documented(endpointOperations.previewVersion)
  @Post('preview')
  @Needs('endpoints:read')
  @HttpCode(200)
  preview(@Param('id') id: string, @Body() body: unknown): Promise<PreviewAnswer> {
    return this.previews.of(id, checkBody(previewBody, body));
  }
}
