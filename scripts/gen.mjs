/**
 * `node --conditions=source scripts/gen.mjs` writes the generated files; with `--check` it only says which are out of date (exit 1).
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generateConfiguration } from './gen/configuration.mjs';
import { generateEventDocuments } from './gen/event-documents.mjs';
import { generateOpenApi } from './gen/openapi.mjs';
import { generateRecords } from './gen/records.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const check = process.argv.includes('--check');
const stale = [];
const generated = [
  ...generateRecords(root),
  await generateConfiguration(),
  ...(await generateEventDocuments(root)),
  ...(await generateOpenApi(root)),
];
for (const { path, text } of generated) {
  const file = join(root, path);
  if (existsSync(file) && readFileSync(file, 'utf8') === text) continue;
  stale.push(path);
  if (!check) writeFileSync(file, text);
}
if (check && stale.length > 0) {
  console.error(`out of date, run \`npm run gen\`:\n${stale.map((path) => `  ${path}`).join('\n')}`);
  process.exit(1);
}
if (!check) console.log(stale.length === 0 ? 'generated files are up to date' : `wrote ${stale.join(', ')}`);
