import { Forked } from './forked.js';
import type { LimitResult, LimitTask } from './limit/messages.js';
import { oneKilobyteBody } from './load.js';
import { usageMeter } from './process-usage.js';
import type { Figures } from './results.js';
import type { ReceiverProcess } from './receiver-process.js';
import { rounded } from './statistics.js';

const warmUpMs = 2_000;
const measureMs = 5_000;

/** What this machine can do at most: signed 1 KB POSTs from a bare undici loop to the same receiver. */
export async function measureLimit(receiver: ReceiverProcess): Promise<Figures<{ perSecond: number }>> {
  const forked = new Forked<LimitTask, LimitResult>('bare loop', './limit/main.js');
  try {
    const used = usageMeter({ receiver: receiver.pid });
    const body = oneKilobyteBody();
    forked.tell({ url: receiver.url, body, warmUpMs, measureMs, inFlight: 64 });
    const { perSecond, usage } = await forked.mustHear('result', 60_000);
    return { fields: { perSecond: rounded(perSecond, 0) }, processes: { loop: usage, ...used() } };
  } finally {
    await forked.stop();
  }
}
