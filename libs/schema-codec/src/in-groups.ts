const requestsAtOnce = 16;

/** Works through a list with so many requests at once, in order. Rejects with the first error. */
export async function inGroups<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let i = 0; i < items.length; i += requestsAtOnce)
    results.push(...(await Promise.all(items.slice(i, i + requestsAtOnce).map(work))));
  return results;
}
