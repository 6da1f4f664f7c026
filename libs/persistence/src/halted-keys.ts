import type { HaltAction } from '#libs/contracts';
import { decodeCursor, toPage } from './cursor.js';
import type { Database } from './database.js';
import type { DeliveryRecord, DeliveryStatus } from './delivery-record.js';
import { deliveryOf, type DeliveryRow } from './delivery-rows.js';
import { raiseRevision } from './endpoint-repository.js';
import { storeResolution } from './halt-resolutions.js';
import type { Page, PageRequest } from './page.js';

/** A delivery that was exhausted at an endpoint that halts: what follows it in order waits. */
export interface HaltedKey {
  readonly delivery: DeliveryRecord;
  /** What was decided since it halted, and not done yet; null: nothing. */
  readonly resolution: { readonly action: HaltAction; readonly at: number } | null;
}

export type ResolveResult =
  | { readonly outcome: 'accepted'; readonly at: number }
  | { readonly outcome: 'unknown-endpoint' }
  /** Or one of another endpoint. */
  | { readonly outcome: 'unknown-delivery' }
  | { readonly outcome: 'not-halted'; readonly status: DeliveryStatus };

interface HaltedRow extends DeliveryRow {
  action: HaltAction | null;
  decided_at: Date | null;
}

const selectHalted = (beyond: string): string => /* sql */ `
SELECT d.*, r.action, r.decided_at
FROM deliveries d
LEFT JOIN halt_resolutions r
  ON r.endpoint_id = d.endpoint_id AND r.delivery_id = d.delivery_id AND r.decided_at > d.halted_at
WHERE d.status = 'halted' AND d.endpoint_id = $1 ${beyond}
ORDER BY d.accepted_at, d.delivery_id LIMIT $2
`;
const selectState = /* sql */ `
SELECT status, halted_at FROM deliveries WHERE delivery_id = $1 AND endpoint_id = $2
`;

/** Halted deliveries as projected from the log, and what people decide of them. */
export class HaltedKeys {
  constructor(private readonly database: Database) {}

  /** Oldest event first. @throws InvalidCursor */
  async list(endpointId: string, { limit, cursor }: PageRequest): Promise<Page<HaltedKey>> {
    const parameters: unknown[] = [endpointId, limit + 1];
    if (cursor !== undefined) {
      const { at, id } = decodeCursor(cursor);
      parameters.push(new Date(at), id);
    }
    const beyond = cursor === undefined ? '' : 'AND (d.accepted_at, d.delivery_id) > ($3, $4)';
    const rows: HaltedRow[] = await this.database.session.query(selectHalted(beyond), parameters);
    return toPage(rows.map(keyOf), limit, ({ delivery }) => ({ at: delivery.acceptedAt, id: delivery.deliveryId }));
  }

  /**
   * Notes what shall become of a halted delivery; the last decision counts. Workers are told through the outbox, by a new
   * revision of the endpoint. Whoever changed the endpoint last has not thereby decided anew about it: `updatedAt` stays.
   */
  resolve(endpointId: string, deliveryId: string, action: HaltAction, now: number): Promise<ResolveResult> {
    return this.database.transaction(async (session): Promise<ResolveResult> => {
      const [found]: { status: DeliveryStatus; halted_at: Date | null }[] = await session.query(selectState, [
        deliveryId,
        endpointId,
      ]);
      if (found === undefined) return { outcome: 'unknown-delivery' };
      if (found.status !== 'halted') return { outcome: 'not-halted', status: found.status };
      // A worker obeys what was decided after the halt; its clock may be ahead of ours.
      const at = Math.max(now, (found.halted_at?.getTime() ?? 0) + 1);
      const store = (): Promise<void> => storeResolution(session, endpointId, { deliveryId, action, at });
      if (!(await raiseRevision(session, endpointId, { deliveryId, action }, { now, store })))
        return { outcome: 'unknown-endpoint' };
      return { outcome: 'accepted', at };
    });
  }
}

const keyOf = (row: HaltedRow): HaltedKey => ({
  delivery: deliveryOf(row),
  resolution:
    row.action === null || row.decided_at === null ? null : { action: row.action, at: row.decided_at.getTime() },
});
