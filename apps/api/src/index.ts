import type { Type } from '@nestjs/common';
import type { AppDefinition } from '#libs/platform';
import { ApiModule } from './api.module.js';
import { answerUnreadable, answerUnroutable } from './http/unroutable.js';
import { documentedRoutes } from './openapi/documented-routes.js';
import { openApiDocument, type OpenApiDocument } from './openapi/document.js';
import type { SchemaOptions } from './openapi/json-schema.js';

/** The REST API as a process of its own, or as a part of standalone. */
export const apiApp: AppDefinition = {
  name: 'api',
  modules: [ApiModule],
  port: (config) => config.apiPort,
  refuse: answerUnroutable,
  refuseUnread: answerUnreadable,
  required: ['databaseUrl', 'operatorKey', 'masterKeys'],
};

/** OpenAPI 3.1 of the REST API, from the code alone: nothing needs to run. */
export const apiDocument = (options: SchemaOptions = {}): OpenApiDocument =>
  openApiDocument(documentedRoutes(Reflect.getMetadata('controllers', ApiModule) as Type[]), options);
