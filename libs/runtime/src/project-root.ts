import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The folder whose package.json is named `posthorn`, found upwards from this file: so it is the same from the sources
 * and from dist/, and each checkout has its own.
 */
export function projectRoot(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); folder !== dirname(folder); folder = dirname(folder)) {
    const file = join(folder, 'package.json');
    if (!existsSync(file)) continue;
    const manifest: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof manifest === 'object' && manifest !== null && 'name' in manifest && manifest.name === 'posthorn') {
      return folder;
    }
  }
  throw new Error(
    'The embedded runtime must run inside the posthorn project: no package.json named "posthorn" above it',
  );
}
