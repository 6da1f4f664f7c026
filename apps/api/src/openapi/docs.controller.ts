import { hash } from 'node:crypto';
import { Controller, Get, Header, Inject, type Type } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { openApiDocument, type OpenApiDocument } from './document.js';
import { documentedRoutes } from './documented-routes.js';
import { page, style } from './page.js';

const styleHash = hash('sha256', style, 'base64');

/** The API's description, without a key: for programs, and as a page without scripts. Each is made at the first request. */
@Controller()
export class DocsController {
  #document: OpenApiDocument | null = null;
  #json: Buffer | null = null;
  #page: Buffer | null = null;

  constructor(@Inject(ModulesContainer) private readonly modules: ModulesContainer) {}

  @Get('openapi.json')
  @Header('content-type', 'application/json; charset=utf-8')
  @Header('cache-control', 'no-cache')
  openApi(): Buffer {
    return (this.#json ??= Buffer.from(JSON.stringify(this.#made())));
  }

  @Get('docs')
  @Header('content-type', 'text/html; charset=utf-8')
  @Header('content-security-policy', `default-src 'none'; style-src 'sha256-${styleHash}'; frame-ancestors 'none'`)
  @Header('cache-control', 'no-cache')
  docs(): Buffer {
    return (this.#page ??= Buffer.from(page(this.#made())));
  }

  #made(): OpenApiDocument {
    return (this.#document ??= openApiDocument(documentedRoutes(this.#controllers())));
  }

  /** Those of the whole process: what they do not document is not in it. */
  #controllers(): Type[] {
    return [...this.modules.values()].flatMap(({ controllers }) =>
      [...controllers.values()].flatMap(({ metatype }) => (metatype === null ? [] : [metatype as Type])),
    );
  }
}
