/** `schemas/openapi/posthorn.json`: the REST API as its code documents it. */
import { apiDocument } from '#apps/api';

/** @returns the generated file, its path relative to the project's root; its layout is Prettier's */
export const openApi = (): { path: string; document: object } => ({
  path: 'schemas/openapi/posthorn.json',
  document: apiDocument(),
});
