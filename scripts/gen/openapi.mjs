/** `schemas/openapi` from the code of the api, laid out as Prettier would. Expects `--conditions=source`. */
import { join } from 'node:path';
import * as prettier from 'prettier';
import { tsImport } from 'tsx/esm/api';

/** @returns {Promise<{ path: string, text: string }[]>} */
export async function generateOpenApi(root) {
  const { openApi } = await tsImport('./openapi.ts', import.meta.url);
  const { path, document } = openApi();
  const options = await prettier.resolveConfig(join(root, 'package.json'));
  return [{ path, text: await prettier.format(JSON.stringify(document), { ...options, parser: 'json' }) }];
}
