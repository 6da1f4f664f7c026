import { settings } from './settings.js';

const shown = (value: unknown): string => {
  if (Array.isArray(value)) return value.length === 0 ? 'none' : `\`${value.join(',')}\``;
  return value === '' ? 'none' : `\`${String(value)}\``;
};

/** The text of docs/configuration.md. */
export function documentSettings(): string {
  const rows = Object.values(settings).map(
    (s) => `| \`${s.name}\` | ${s.type}${s.secret ? ' (secret)' : ''} | ${shown(s.fallback)} | ${s.sentence} |`,
  );
  return [
    '# Configuration',
    '',
    'Generated from `libs/config/src/settings.ts` by `npm run gen`. Do not edit.',
    '',
    'Everything is set by environment variables, read once when a process starts. All mistakes are listed at once.',
    '',
    '| variable | type | default | meaning |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}
