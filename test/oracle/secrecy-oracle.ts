import { NeedleSearch } from './needle-search.js';
import { formsOf } from './secret-forms.js';

/** Something that others may read: a log file, a topic, a table, an answer. A piece may end anywhere, also within a secret. */
export interface Readable {
  readonly place: string;
  readonly pieces: AsyncIterable<Buffer> | Iterable<Buffer>;
}

interface Sighting {
  readonly place: string;
  /** Name of the secret, never the secret. */
  readonly secret: string;
  readonly form: string;
}

export interface Search {
  readonly sightings: readonly Sighting[];
  /** What was looked at, with its size: what was not there, or was empty, has shown nothing. */
  readonly places: ReadonlyMap<string, number>;
}

/**
 * Where secrets can be read (invariant 8), in whatever form (secret-forms.ts). Holds one piece at a time.
 * @param secrets by name
 * @throws RangeError for a secret that would be found by chance
 */
export async function searchFor(
  secrets: ReadonlyMap<string, string>,
  readables: Iterable<Readable> | AsyncIterable<Readable>,
): Promise<Search> {
  const forms = [...secrets].flatMap(([secret, text]) => formsOf(text).map((one) => ({ secret, ...one })));
  const search = new NeedleSearch(forms.map(({ needle }) => needle));
  const sightings = new Map<string, Sighting>();
  const places = new Map<string, number>();
  for await (const { place, pieces } of readables) {
    const onFound = (index: number): void => {
      const { secret, form } = forms[index]!;
      sightings.set(`${place} ${secret} ${form}`, { place, secret, form });
    };
    let size = places.get(place) ?? 0;
    let before: Buffer = nothing;
    for await (const piece of pieces) {
      size += piece.length;
      const joined = before.length === 0 ? piece : Buffer.concat([before, piece]);
      search.in(joined, onFound);
      before = joined.subarray(Math.max(0, joined.length - search.longest + 1));
    }
    places.set(place, size);
  }
  return { sightings: [...sightings.values()], places };
}

const nothing = Buffer.alloc(0);
