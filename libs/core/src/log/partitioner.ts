/**
 * Kafka's own default partitioner (murmur2 over the key's bytes), so that our records lie where a stock producer would
 * have put them.
 */

const seed = 0x9747b28c;
const m = 0x5bd1e995;

/** murmur2 as in org.apache.kafka.common.utils.Utils, as a signed 32-bit integer. */
export function murmur2(data: Uint8Array): number {
  const length = data.length;
  let h = seed ^ length;
  const blocks = length >> 2;
  for (let i = 0; i < blocks; i += 1) {
    const at = i << 2;
    let k = byte(data, at) | (byte(data, at + 1) << 8) | (byte(data, at + 2) << 16) | (byte(data, at + 3) << 24);
    k = Math.imul(k, m);
    k ^= k >>> 24;
    k = Math.imul(k, m);
    h = Math.imul(h, m) ^ k;
  }
  const rest = blocks << 2;
  const left = length & 3;
  if (left === 3) h ^= byte(data, rest + 2) << 16;
  if (left >= 2) h ^= byte(data, rest + 1) << 8;
  if (left >= 1) h = Math.imul(h ^ byte(data, rest), m);
  h ^= h >>> 13;
  h = Math.imul(h, m);
  return h ^ (h >>> 15);
}

const byte = (data: Uint8Array, index: number): number => data[index] ?? 0;

/** Partition of a key among `partitions`. */
export function partitionFor(key: string, partitions: number): number {
  return (murmur2(Buffer.from(key, 'utf8')) & 0x7fffffff) % partitions;
}
