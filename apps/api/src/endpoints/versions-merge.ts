import type { EndpointContent } from '#libs/contracts';
import { typeMatcher, versionFor } from '#libs/core';
import { AppError, type Fault } from '../problem/app-error.js';
import { pointerOf } from '../problem/check-input.js';
import { otherTypes, type VersionsPatch } from './versions.dto.js';

/** Which version of each type an endpoint gets; 0 is the newest there is. */
export type Pins = Pick<EndpointContent, 'versions' | 'latestByDefault'>;

/** An event type with its versions, lowest first. */
export interface KnownType {
  readonly type: string;
  readonly versions: readonly number[];
}

interface Wish {
  /** Patterns as they will be. */
  readonly eventTypes: readonly string[];
  /** Null: all is to be as by default. */
  readonly versions: VersionsPatch | null | undefined;
}

const latest = 0;

/**
 * The pins of an endpoint, new (`before` null) or patched (JSON merge patch). Unless `*` is `latest`, each type that it
 * comes to want is pinned to its newest version: all that match when it is created, those that match only now when its
 * patterns change, and those that the patch gives back to the default. What it does not want any more is forgotten.
 *
 * @param known all types, or at least those that match the patterns or are named
 * @throws AppError `invalid-body` with a pointer for each name or version that does not exist
 */
export function mergePins(
  before: (Pins & { readonly eventTypes: readonly string[] }) | null,
  wish: Wish,
  known: readonly KnownType[],
): Pins {
  const given = Object.entries(wish.versions ?? {}).filter(([type]) => type !== otherTypes);
  const wanted = typeMatcher(wish.eventTypes);
  checkNamed(given, wanted, known);
  const others = wish.versions === null ? null : wish.versions?.[otherTypes];
  const latestByDefault = others === undefined ? (before?.latestByDefault ?? false) : others === 'latest';
  const kept = Object.entries(wish.versions === null ? {} : (before?.versions ?? {}));
  const pins = new Map(kept.filter(([type]) => wanted(type)));
  for (const [type, version] of given)
    if (version === null) pins.delete(type);
    else pins.set(type, version === 'latest' ? latest : version);
  if (!latestByDefault) {
    const wantedBefore = before === null ? () => false : typeMatcher(before.eventTypes);
    const givenBack = new Set(given.filter(([, version]) => version === null).map(([type]) => type));
    for (const { type, versions } of known) {
      const newest = versions.at(-1);
      if (newest === undefined || pins.has(type) || !wanted(type)) continue;
      // One that it wanted before and that has no pin came later: it goes on with its first version.
      if (others === null || givenBack.has(type) || !wantedBefore(type)) pins.set(type, newest);
    }
  }
  return { versions: Object.fromEntries([...pins].sort(([a], [b]) => (a < b ? -1 : 1))), latestByDefault };
}

function checkNamed(
  given: readonly (readonly [string, number | 'latest' | null])[],
  wanted: (type: string) => boolean,
  known: readonly KnownType[],
): void {
  const byType = new Map(known.map((one) => [one.type, one]));
  const errors = given.flatMap(([type, version]): Fault[] => {
    if (version === null) return [];
    const pointer = pointerOf(['versions', type]);
    const found = byType.get(type);
    if (found === undefined)
      return [
        { pointer, code: 'unknown-event-type', detail: `There is no such event type; ${thoseOf(known, wanted)}.` },
      ];
    if (!wanted(type)) return [{ pointer, code: 'not-subscribed', detail: '`eventTypes` does not hold this type.' }];
    const fault = versionFault(found, version);
    return fault === null ? [] : [{ pointer, ...fault }];
  });
  if (errors.length === 0) return;
  const what = errors.length === 1 ? 'One thing does not fit.' : `${errors.length} things do not fit.`;
  throw new AppError('invalid-body', what, { errors });
}

/** What is wrong with the wish for a version of a type. */
export function versionFault(
  { versions }: KnownType,
  version: number | 'latest',
): Pick<Fault, 'code' | 'detail'> | null {
  if (version === 'latest' || versions.includes(version)) return null;
  return { code: 'unknown-version', detail: `There is no version ${version}; there are: ${versions.join(', ')}.` };
}

const shownTypes = 20;

function thoseOf(known: readonly KnownType[], wanted: (type: string) => boolean): string {
  const names = known.map(({ type }) => type).filter(wanted);
  if (names.length === 0) return '`eventTypes` holds none that there is';
  const more = names.length > shownTypes ? ` and ${names.length - shownTypes} more` : '';
  return `\`eventTypes\` holds ${names.slice(0, shownTypes).join(', ')}${more}`;
}

interface SentVersion {
  readonly version: number;
  /** Whether it is the newest, whatever comes. */
  readonly follows: boolean;
  /** False: nobody chose it, it is what the type began with. */
  readonly isNamed: boolean;
}

/** What an endpoint gets of a type, as dispatchers decide it. */
export function sentVersion(pins: Pins, { type, versions }: KnownType): SentVersion {
  const { version, isNamed } = versionFor(pins, type);
  if (version === 'latest') return { version: versions.at(-1) ?? latest, follows: true, isNamed };
  return { version, follows: false, isNamed };
}

/** Pins as the API takes and shows them. */
export function shownPins({ versions, latestByDefault }: Pins): Record<string, number | 'latest'> {
  const named = Object.entries(versions).map(
    ([type, version]) => [type, version === latest ? 'latest' : version] as const,
  );
  return Object.fromEntries<number | 'latest'>([
    ...named,
    ...(latestByDefault ? [[otherTypes, 'latest'] as const] : []),
  ]);
}
