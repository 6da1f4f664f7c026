import type { LogReader } from '#libs/kafka';
import type { AuditLog } from '#libs/persistence';
import type { PlatformCodecs } from '#libs/schema-codec';

/** The first entry of a tenant that the topic has, and the log has not, or otherwise. */
export interface TopicFault {
  /** Empty: the platform's own. */
  readonly tenantId: string;
  readonly seq: number;
  readonly kind: 'gone' | 'different';
}

export interface TopicComparison {
  /** Records of the topic; the same entry may stand there more than once. */
  readonly compared: number;
  readonly faults: readonly TopicFault[];
}

export interface TopicPorts {
  readonly reader: Pick<LogReader, 'bounds' | 'range'>;
  readonly codecs: Pick<PlatformCodecs, 'prepare' | 'auditEntry'>;
  readonly log: Pick<AuditLog, 'hashes'>;
}

/**
 * Holds the log to what stands in the audit topic, as far as retention has left that. Whoever owns the database may cut off
 * a chain's end together with its head, or hash all of it anew; the topic still says what there was. What the topic lacks yet
 * is no fault.
 * @param tenant this one's entries alone
 */
export async function compareWithTopic(
  { reader, codecs, log }: TopicPorts,
  topic: string,
  tenant?: string,
): Promise<TopicComparison> {
  const place = { topic, partition: 0 };
  const faults = new Map<string, TopicFault>();
  let compared = 0;
  const [bounds] = await reader.bounds([place]);
  for await (const records of reader.range(place, bounds?.start ?? 0, bounds?.end ?? 0)) {
    const values = records.flatMap(({ value }) => (value === null ? [] : [value]));
    await codecs.prepare(values);
    const entries = values
      .map((value) => codecs.auditEntry.decode(value))
      .filter(({ tenantId }) => tenant === undefined || tenantId === tenant);
    const hashes = entries.length === 0 ? [] : await log.hashes(entries);
    compared += entries.length;
    for (const [i, { tenantId, seq, hash }] of entries.entries()) {
      const stored = hashes[i] ?? null;
      const earlier = faults.get(tenantId);
      if (stored?.equals(hash) === true || (earlier !== undefined && earlier.seq <= seq)) continue;
      faults.set(tenantId, { tenantId, seq, kind: stored === null ? 'gone' : 'different' });
    }
  }
  return { compared, faults: [...faults.values()] };
}
