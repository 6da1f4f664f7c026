import type { BatchConfig, Delivery } from '#libs/contracts';
import type { Backlog } from './backlog.js';
import { batchOf, entryIdOf, haveEqualHeaders, isBatchable } from './batch-record.js';
import type { Copies } from './copies.js';
import { expiryOf, type EndpointDirectory, type ReadyEndpoint } from './endpoint-directory.js';
import type { Lane } from './lane.js';
import type { Entry } from './owned-partition.js';

export interface BatchingPorts {
  readonly directory: EndpointDirectory;
  readonly copies: Copies;
  readonly backlog: Backlog;
  /** A batch's first copy is durable: it may be POSTed. */
  formed(batch: Entry, lane: Lane<Entry>, first: Entry): void;
}

/** Of a batch's record: below what the sender takes for one, with room for what surrounds it. */
const maxRecordBytes = 900_000;

/**
 * Forms batches: what waits in a lane for the same endpoint and stream travels in one POST. The batch is appended as one
 * record before that, so that it is the same batch over retries and crashes (docs/delivery-state.md, Batches).
 */
export class Batching {
  readonly #ports: BatchingPorts;

  constructor(ports: BatchingPorts) {
    this.#ports = ports;
  }

  /**
   * Forms a batch of `first`, whose turn has come, and of what may go with it.
   * @param now Unix milliseconds
   */
  form(first: Entry, lane: Lane<Entry>, endpoint: ReadyEndpoint, config: BatchConfig, now: number): void {
    const { partition, stream } = first;
    const members = this.#gathered(first, lane, endpoint, config, now);
    lane.work.takeOut(stream, new Set(members));
    const [lead, ...rest] = members.map((entry): Delivery => ({ ...entry.delivery, pos: entry.pos }));
    const [head, ...others] = members;
    if (lead === undefined || head === undefined) return;
    // Above every copy of its members, acknowledged or not.
    const hop = 1 + members.reduce((highest, one) => Math.max(highest, one.hop, one.issued), 0);
    const delivery = batchOf([lead, ...rest], hop, partition.writer);
    const batch = partition.enterBatch(entryIdOf(delivery), [head, ...others], { ...delivery, hop: hop - 1 });
    batch.place = 'here';
    lane.forming += 1;
    if (partition.without.has('batch-first')) partition.standsFor(batch);
    this.#ports.copies.first(batch, delivery, (recordBytes) => {
      partition.standsFor(batch);
      for (const member of members) this.#ports.backlog.unload(member);
      this.#ports.backlog.load(batch, delivery, recordBytes);
      this.#ports.formed(batch, lane, first);
    });
  }

  /**
   * By ascending pos: what its order lets go with those before it, of the same media type and headers, as far as there is
   * room. One that is too large for any batch is one alone.
   */
  #gathered(first: Entry, lane: Lane<Entry>, endpoint: ReadyEndpoint, config: BatchConfig, now: number): Entry[] {
    const { maxEvents, maxBytes } = config;
    const { partition, stream, window } = first;
    const company = window.company();
    company.joins(first);
    const members = [first];
    let bytes = 2 + bodyBytes(first);
    let { recordBytes } = first;
    for (const one of lane.work.waiting(stream)) {
      if (members.length === maxEvents) break;
      if (!this.#mayTravel(one, first, endpoint, now)) continue;
      if (one.pos >= partition.deliveries.next || !company.joins(one)) continue;
      bytes += 1 + bodyBytes(one);
      recordBytes += one.recordBytes;
      if (bytes > maxBytes || recordBytes > maxRecordBytes) break;
      members.push(one);
    }
    return members.sort((a, b) => a.pos - b.pos);
  }

  /** Whether it could be POSTed now; it stays behind otherwise, and with it what is ordered to it. */
  #mayTravel({ delivery, stream }: Entry, first: Entry, { config }: ReadyEndpoint, now: number): boolean {
    if (!isBatchable(delivery, stream) || !haveEqualHeaders(delivery, first.delivery)) return false;
    if (this.#ports.directory.lookup(delivery).kind !== 'ready') return false;
    const until = expiryOf(delivery, config);
    return until === null || now <= until;
  }
}

const bodyBytes = ({ delivery }: Entry): number => delivery.body?.length ?? 0;
