import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's folder: where its package.json lies, whether this runs from the sources or from dist. */
export function projectRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const file = join(folder, 'package.json');
    if (existsSync(file) && (JSON.parse(readFileSync(file, 'utf8')) as { name?: string }).name === 'posthorn')
      return folder;
    const parent = dirname(folder);
    if (parent === folder)
      throw new Error('no package.json of posthorn above this file: run it from a checkout or an image of ours');
    folder = parent;
  }
}
