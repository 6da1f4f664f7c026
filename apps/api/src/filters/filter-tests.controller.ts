import { Body, Controller, HttpCode, Inject, Post } from '@nestjs/common';
import { Needs } from '../access/needs.js';
import { checkBody } from '../problem/check-input.js';
import { testFiltersBody, type FilterTestAnswer } from './filter-test.dto.js';
import { FilterTests } from './filter-tests.js';

/** Trying filters before an endpoint gets them. */
@Controller('v1/filters')
export class FilterTestsController {
  constructor(@Inject(FilterTests) private readonly tests: FilterTests) {}

  @Post('test')
  @Needs('endpoints:read')
  @HttpCode(200)
  test(@Body() body: unknown): Promise<FilterTestAnswer> {
    return this.tests.run(checkBody(testFiltersBody, body));
  }
}
