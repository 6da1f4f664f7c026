import { Body, Controller, HttpCode, Inject, Post } from '@nestjs/common';
import { Needs } from '../access/needs.js';
import { Documented } from '../openapi/operation.js';
import { checkBody } from '../problem/check-input.js';
import { testFiltersBody, type FilterTestAnswer } from './filter-test.dto.js';
import { FilterTests } from './filter-tests.js';
import { filterOperations } from './filter-operations.js';

/** Trying filters before an endpoint gets them. */
@Controller('v1/filters')
export class FilterTestsController {
  constructor(@Inject(FilterTests) private readonly tests: FilterTests) {}

  @Documented(filterOperations.test)
  @Post('test')
  @Needs('endpoints:read')
  @HttpCode(200)
  test(@Body() body: unknown): Promise<FilterTestAnswer> {
    return this.tests.run(checkBody(testFiltersBody, body));
  }
}
