/** Every pattern that an event type fits: `*`, `task.*` and `task.updated` for `task.updated`. See `EventPattern`. */
export function patternsOf(type: string): string[] {
  const names = type.split('.');
  const below = names.slice(1).map((_, i) => `${names.slice(0, i + 1).join('.')}.*`);
  return ['*', ...below, type];
}
