/**
 * `node --conditions=source --import tsx scripts/openapi/check.ts`: whether the checked-in OpenAPI document breaks clients
 * of the one of the commit before (exit 1, a line for each break).
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { breaks, type OpenApi } from './compatibility.js';
import { earlier } from './earlier.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const path = 'schemas/openapi/posthorn.json';

const before = earlier(root, path);
if (before === null) {
  console.log('not compared: no earlier commit has the document, or git does not reach it (git fetch --unshallow)');
} else {
  const now = readFileSync(join(root, path), 'utf8');
  const faults = breaks(JSON.parse(before.text) as OpenApi, JSON.parse(now) as OpenApi);
  console.log(`compared with ${before.commit}: ${faults.length} breaks`);
  for (const fault of faults) console.error(fault);
  if (faults.length > 0) {
    console.error(
      'Keep what clients rely on: add beside it, deprecate it (`deprecated: true`), remove it in a later release.',
    );
    process.exitCode = 1;
  }
}
