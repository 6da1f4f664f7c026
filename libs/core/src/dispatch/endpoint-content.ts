import type { EventEnvelope, JsonValue } from '../event/cloud-event.js';
import type { DeliveryFormat } from '../event/formats.js';
import type { Discriminator } from './subscription.js';

/** A version of an event type: its number, or whatever is the newest. */
export type WantedVersion = number | 'latest';

/** An event as filters see it. */
export interface FilterSubject {
  readonly attributes: Omit<EventEnvelope, 'data'>;
  /** In the version that the endpoint gets. */
  readonly data: JsonValue;
}

/** `error`: what went wrong when it was asked, and then it is no match; null: nothing. */
export interface FilterAnswer {
  readonly match: boolean;
  readonly error: string | null;
  /** What it took to find out, in steps of a quarter of a microsecond. Whoever gets the same answer again pays nothing. */
  readonly steps: number;
}

/** A customer's filter, compiled and shared by all endpoints that have the same one. */
export interface EventFilter {
  /** Whether it looks at data: else its answer is the same in all versions. */
  readonly readsData: boolean;
  /** What an event lacks that it does not match anyway. */
  readonly discriminators: readonly Discriminator[];
  matches(subject: FilterSubject): FilterAnswer;
}

/** Which version of each event type an endpoint gets, as it is configured. */
export interface VersionPins {
  /** 0: the newest. */
  readonly versions: Readonly<Record<string, number>>;
  /** Of types that it does not name: the newest, else the first. */
  readonly latestByDefault: boolean;
}

/** What an endpoint receives of the events that it subscribed to, compiled once. */
export interface Content extends VersionPins {
  /** Null: everything. */
  readonly filter: EventFilter | null;
  readonly format: DeliveryFormat;
  readonly transformationId: string | null;
  /** Why it cannot be used as it is configured: nothing is sent then. */
  readonly fault: string | null;
}

/** `isNamed` false: nobody chose it, it is what the type began with. */
export interface VersionChoice {
  readonly version: WantedVersion;
  readonly isNamed: boolean;
}

const first: VersionChoice = { version: 1, isNamed: false };
const newest: VersionChoice = { version: 'latest', isNamed: true };

/** Which version of a type an endpoint gets. */
export function versionFor({ versions, latestByDefault }: VersionPins, type: string): VersionChoice {
  const version = Object.hasOwn(versions, type) ? versions[type] : undefined;
  if (version === undefined) return latestByDefault ? newest : first;
  return version === 0 ? newest : { version, isNamed: true };
}

/**
 * From an endpoint's record.
 * @param filterOf compiles the filters' JSON text; where it throws, the content has a fault
 */
export function contentOf(
  config: VersionPins & Pick<Content, 'format' | 'transformationId'> & { readonly filters: string | null },
  filterOf: (text: string) => EventFilter,
): Content {
  const { filters, format, transformationId, versions, latestByDefault } = config;
  const rest = { format, transformationId, versions, latestByDefault };
  try {
    return { ...rest, filter: filters === null ? null : filterOf(filters), fault: null };
  } catch (error) {
    // Of a later version of this software, or an earlier one: its owner's events are kept for when it can be read.
    return { ...rest, filter: null, fault: error instanceof Error ? error.message : String(error) };
  }
}
