import { isDeepStrictEqual } from 'node:util';

/** One setting that differs, by its name in the API; that of a part of a policy has a dot: `retry.maxTotalMs`. */
export interface ConfigurationChange {
  readonly field: string;
  readonly from: unknown;
  readonly to: unknown;
}

/**
 * What differs, in the order of the names. Policies are compared part by part while there is one before and after; lists
 * as a whole. A setting that is not named counts as null, since an older version of Posthorn did not know it.
 */
export function changesBetween(before: object, after: object): readonly ConfigurationChange[] {
  const from = settingsOf(before, after);
  const to = settingsOf(after, before);
  return [...new Set([...from.keys(), ...to.keys()])]
    .toSorted()
    .map((field) => ({ field, from: from.get(field) ?? null, to: to.get(field) ?? null }))
    .filter((change) => !isDeepStrictEqual(change.from, change.to));
}

function settingsOf(configuration: object, other: object): ReadonlyMap<string, unknown> {
  const others = new Map<string, unknown>(Object.entries(other));
  const settings = Object.entries(configuration).flatMap(([name, value]: [string, unknown]): [string, unknown][] => {
    if (!isPolicy(value) || !isPolicy(others.get(name))) return [[name, value]];
    return Object.entries(value).map(([part, setting]: [string, unknown]) => [`${name}.${part}`, setting]);
  });
  return new Map(settings);
}

const isPolicy = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
