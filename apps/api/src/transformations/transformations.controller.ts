import { Body, Controller, Delete, Get, Headers, HttpCode, Inject, Param, Patch, Post, Query } from '@nestjs/common';
import type { Page } from '#libs/persistence';
import { Needs } from '../access/needs.js';
import { ifMatch } from '../http/entity-tags.js';
import { Documented } from '../openapi/operation.js';
import { checkBody, checkQuery } from '../problem/check-input.js';
import { TransformationTest, type TestAnswer } from './transformation-test.js';
import {
  createTransformationBody,
  listTransformationsQuery,
  listVersionsQuery,
  patchTransformationBody,
  testTransformationBody,
  type TransformationAnswer,
  type TransformationSummaryAnswer,
  type VersionAnswer,
  type VersionSummaryAnswer,
} from './transformation.dto.js';
import { Transformations } from './transformations.js';
import { transformationOperations } from './transformation-operations.js';

/** Code of tenants that changes what their endpoints receive. */
@Controller('v1/transformations')
export class TransformationsController {
  constructor(
    @Inject(Transformations) private readonly transformations: Transformations,
    @Inject(TransformationTest) private readonly trial: TransformationTest,
  ) {}

  @Documented(transformationOperations.create)
  @Post()
  @Needs('transformations:write')
  create(@Body() body: unknown): Promise<TransformationAnswer> {
    return this.transformations.create(checkBody(createTransformationBody, body));
  }

  @Documented(transformationOperations.list)
  @Get()
  @Needs('transformations:read')
  list(@Query() query: unknown): Promise<Page<TransformationSummaryAnswer>> {
    return this.transformations.list(checkQuery(listTransformationsQuery, query));
  }

  /** Whatever the code does is in the answer. */
  @Documented(transformationOperations.test)
  @Post('test')
  @Needs('transformations:read')
  @HttpCode(200)
  test(@Body() body: unknown): Promise<TestAnswer> {
    return this.trial.run(checkBody(testTransformationBody, body));
  }

  @Documented(transformationOperations.get)
  @Get(':id')
  @Needs('transformations:read')
  get(@Param('id') id: string): Promise<TransformationAnswer> {
    return this.transformations.get(id);
  }

  @Documented(transformationOperations.patch)
  @Patch(':id')
  @Needs('transformations:write')
  patch(
    @Param('id') id: string,
    @Body() body: unknown,
    @Headers('if-match') match?: string,
  ): Promise<TransformationAnswer> {
    return this.transformations.patch(id, checkBody(patchTransformationBody, body), ifMatch(match));
  }

  @Documented(transformationOperations.delete)
  @Delete(':id')
  @Needs('transformations:write')
  @HttpCode(204)
  delete(@Param('id') id: string, @Headers('if-match') match?: string): Promise<void> {
    return this.transformations.delete(id, ifMatch(match));
  }

  @Documented(transformationOperations.versions)
  @Get(':id/versions')
  @Needs('transformations:read')
  versions(@Param('id') id: string, @Query() query: unknown): Promise<Page<VersionSummaryAnswer>> {
    return this.transformations.versions(id, checkQuery(listVersionsQuery, query));
  }

  @Documented(transformationOperations.version)
  @Get(':id/versions/:version')
  @Needs('transformations:read')
  version(@Param('id') id: string, @Param('version') version: string): Promise<VersionAnswer> {
    return this.transformations.version(id, version);
  }

  /** Its code comes back as a new version. */
  @Documented(transformationOperations.restore)
  @Post(':id/versions/:version/restore')
  @Needs('transformations:write')
  @HttpCode(200)
  restore(@Param('id') id: string, @Param('version') version: string): Promise<TransformationAnswer> {
    return this.transformations.restore(id, version);
  }
}
