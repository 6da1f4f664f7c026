/** A record that the sender was told is in the log. `id` is unique; ids of one source come in the order of its sends. */
export interface Acknowledged {
  readonly source: string;
  readonly partition: number;
  readonly id: string;
}

export interface LogEntry {
  readonly partition: number;
  readonly id: string;
}

export interface Verdict {
  readonly lost: readonly string[];
  readonly doubled: readonly string[];
  /** Those whose first appearance stands before that of an earlier one of the same source and partition. */
  readonly reordered: readonly string[];
}

/**
 * Judges a log (each partition in the order of its offsets) by what was acknowledged (each source in the order of its
 * sends): every acknowledged record is in it, first appearances are in order, and none is there twice. Records that were
 * never acknowledged may be there or not, but not twice either.
 */
export function judgeLog(acknowledged: readonly Acknowledged[], log: readonly LogEntry[]): Verdict {
  const firstAt = new Map<string, number>();
  const doubled = new Set<string>();
  log.forEach(({ partition, id }, at) => {
    const name = `${partition}/${id}`;
    if (firstAt.has(name)) doubled.add(id);
    else firstAt.set(name, at);
  });
  const lost: string[] = [];
  const reordered: string[] = [];
  const last = new Map<string, number>();
  for (const { source, partition, id } of acknowledged) {
    const at = firstAt.get(`${partition}/${id}`);
    if (at === undefined) {
      lost.push(id);
      continue;
    }
    const line = `${source}/${partition}`;
    if (at < (last.get(line) ?? -1)) reordered.push(id);
    last.set(line, Math.max(at, last.get(line) ?? -1));
  }
  return { lost, doubled: [...doubled], reordered };
}

export const faultless: Verdict = { lost: [], doubled: [], reordered: [] };
