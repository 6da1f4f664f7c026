const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export const escaped = (given: string): string => given.replace(/[&<>"']/g, (character) => entities[character] ?? '');

/** A sentence: what stands between backticks is code. */
export const text = (given: string): string => escaped(given).replaceAll(/`([^`]+)`/g, '<code>$1</code>');

export const code = (value: unknown): string => `<pre>${escaped(JSON.stringify(value, null, 2))}</pre>`;
