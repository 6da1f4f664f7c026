/** `docs/configuration.md` from the one table of settings. */
import { tsImport } from 'tsx/esm/api';

/** @returns {Promise<{ path: string, text: string }>} */
export async function generateConfiguration() {
  const { documentSettings } = await tsImport('../../libs/config/src/document.ts', import.meta.url);
  return { path: 'docs/configuration.md', text: documentSettings() };
}
