import type { LogReader } from '#libs/kafka';
import type { PlatformCodecs } from '#libs/schema-codec';

/** Records of endpoints by what their secrets are sealed with, such as `e2`; a record counts for each of its seals once. */
export interface PublishedSeals {
  /** The newest of each endpoint. */
  readonly inForce: ReadonlyMap<string, number>;
  /** Those before it, which stand there until the topic is compacted. */
  readonly superseded: ReadonlyMap<string, number>;
}

type Codecs = Pick<PlatformCodecs, 'prepare' | 'isPrepared' | 'endpointConfig'>;

/** Reads the endpoints topic as it is now, from its start to its end. */
export async function publishedSeals(
  reader: Pick<LogReader, 'bounds' | 'range'>,
  codecs: Codecs,
  topic: string,
): Promise<PublishedSeals> {
  const place = { topic, partition: 0 };
  const newest = new Map<string, readonly string[]>();
  const superseded = new Map<string, number>();
  const [bounds] = await reader.bounds([place]);
  for await (const records of reader.range(place, bounds?.start ?? 0, bounds?.end ?? 0)) {
    for (const { key, value } of records) {
      const endpointId = key?.toString('utf8') ?? '';
      // Records of other kinds have a colon in their keys, and no secrets.
      if (endpointId === '' || endpointId.includes(':')) continue;
      count(superseded, newest.get(endpointId) ?? []);
      if (value === null) newest.delete(endpointId);
      else newest.set(endpointId, await sealsOf(codecs, value));
    }
  }
  const inForce = new Map<string, number>();
  for (const seals of newest.values()) count(inForce, seals);
  return { inForce, superseded };
}

async function sealsOf(codecs: Codecs, value: Buffer): Promise<readonly string[]> {
  if (!codecs.isPrepared(value)) await codecs.prepare([value]);
  const { secrets, sealedAuthentication, sealedClientCertificate } = codecs.endpointConfig.decode(value);
  const sealed = [...secrets.map(({ ciphertext }) => ciphertext), sealedAuthentication, sealedClientCertificate];
  return [...new Set(sealed.flatMap((text) => (text === null ? [] : [text.split('.', 1)[0] ?? ''])))];
}

function count(counts: Map<string, number>, seals: readonly string[]): void {
  for (const seal of seals) counts.set(seal, (counts.get(seal) ?? 0) + 1);
}
