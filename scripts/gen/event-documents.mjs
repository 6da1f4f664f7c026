/** `docs/events` from `schemas/events`, laid out as Prettier would. Expects `--conditions=source`. */
import { join } from 'node:path';
import * as prettier from 'prettier';
import { tsImport } from 'tsx/esm/api';

/** @returns {Promise<{ path: string, text: string }[]>} */
export async function generateEventDocuments(root) {
  const { eventDocuments } = await tsImport('./event-documents.ts', import.meta.url);
  const documents = await eventDocuments(join(root, 'schemas/events'));
  const options = await prettier.resolveConfig(join(root, 'package.json'));
  return Promise.all(
    documents.map(async ({ path, document }) => ({
      path,
      text: await prettier.format(JSON.stringify(document), { ...options, parser: 'json' }),
    })),
  );
}
