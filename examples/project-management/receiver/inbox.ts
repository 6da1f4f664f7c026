import { RecentIds } from './recent-ids.js';

/** A webhook whose signature was valid. */
export interface Webhook {
  readonly path: string;
  readonly id: string;
  readonly body: Buffer;
}

/**
 * What was acknowledged waits here and is processed afterwards, so that the sender never waits for our work. The same
 * `webhook-id` may arrive again (the answer was lost, or came too late): it is acknowledged again, but processed once.
 * A real receiver would write to a queue or a table *before* it acknowledges; memory is enough for an example.
 */
export class Inbox {
  readonly #waiting: Webhook[] = [];
  readonly #seen: RecentIds;
  #running = false;

  constructor(
    rememberedIds: number,
    private readonly process: (webhook: Webhook) => void,
  ) {
    this.#seen = new RecentIds(rememberedIds);
  }

  put(webhook: Webhook): void {
    if (!this.#seen.add(`${webhook.path} ${webhook.id}`)) return;
    this.#waiting.push(webhook);
    if (this.#running) return;
    this.#running = true;
    setImmediate(() => this.#drain());
  }

  #drain(): void {
    for (const webhook of this.#waiting.splice(0)) this.process(webhook);
    this.#running = false;
  }
}
