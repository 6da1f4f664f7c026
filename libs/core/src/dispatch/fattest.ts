/** How much an endpoint has outstanding in a partition. */
export interface EndpointWeight {
  readonly endpointId: string;
  readonly outstanding: number;
}

/**
 * Which endpoints are frozen when a partition of deliveries holds too much: the fewest that together have at least `excess`
 * outstanding, the fattest first (by id where they are alike, so that every dispatcher chooses alike).
 */
export function fattest(endpoints: Iterable<EndpointWeight>, excess: number): readonly string[] {
  const chosen: string[] = [];
  let left = excess;
  const byWeight = [...endpoints].sort(
    (a, b) => b.outstanding - a.outstanding || (a.endpointId < b.endpointId ? -1 : 1),
  );
  for (const { endpointId, outstanding } of byWeight) {
    if (left <= 0 || outstanding <= 0) break;
    chosen.push(endpointId);
    left -= outstanding;
  }
  return chosen;
}
