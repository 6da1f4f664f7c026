/** What has become of one `webhook-id` at one path. */
export interface Receipt {
  arrivals: number;
  /** Arrivals with a valid signature. */
  valid: number;
  /** Arrivals that were answered 2xx. */
  acknowledged: number;
  /** How often its work was done: once, however often it arrived. */
  processed: number;
}

/** Path → `webhook-id` → receipt. */
export type ReceiptRecord = Readonly<Record<string, Readonly<Record<string, Readonly<Receipt>>>>>;

/** The receiver's own record, for the demo's final check. Keeps the last `capacity` ids of each path. */
export class Receipts {
  readonly #paths = new Map<string, Map<string, Receipt>>();

  constructor(private readonly capacity: number) {}

  count(path: string, webhookId: string, fact: keyof Receipt): void {
    const ids = this.#paths.get(path) ?? new Map<string, Receipt>();
    this.#paths.set(path, ids);
    const receipt = ids.get(webhookId) ?? { arrivals: 0, valid: 0, acknowledged: 0, processed: 0 };
    receipt[fact] += 1;
    ids.set(webhookId, receipt);
    if (ids.size > this.capacity) {
      const [oldest] = ids.keys();
      if (oldest !== undefined) ids.delete(oldest);
    }
  }

  toJson(): ReceiptRecord {
    return Object.fromEntries([...this.#paths].map(([path, ids]) => [path, Object.fromEntries(ids)]));
  }
}
