/**
 * One text for one value, in whatever order its keys were written: whole numbers first, then by UTF-16 code units; no
 * spaces. What JSON has no word for is left out, as JSON.stringify does.
 */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
    const entries = Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1));
    // Not a literal: `__proto__` must be a key like any other.
    return Object.fromEntries(entries);
  });
}
