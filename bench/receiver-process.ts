import { Forked } from './forked.js';
import type { FromReceiver, Report, ToReceiver } from './receiver/messages.js';

const answerMs = 10_000;

/** The receiver (`receiver/main.ts`) as the bench sees it. */
export class ReceiverProcess {
  private constructor(
    readonly url: string,
    private readonly forked: Forked<ToReceiver, FromReceiver>,
  ) {}

  static async start(): Promise<ReceiverProcess> {
    const forked = new Forked<ToReceiver, FromReceiver>('receiver', './receiver/main.js');
    const { url } = await forked.mustHear('ready', answerMs);
    return new ReceiverProcess(url, forked);
  }

  get pid(): number {
    return this.forked.pid;
  }

  /**
   * Counts anew, events of this tag only.
   * @returns `complete`: whether `expected` different receipts were counted within `timeoutMs` from now
   */
  async begin(tag: string, expected: number, timeoutMs: number): Promise<{ readonly complete: Promise<boolean> }> {
    const begun = this.forked.mustHear('begun', answerMs);
    this.forked.tell({ type: 'begin', tag, expected });
    await begun;
    const complete = this.forked.hear('complete', timeoutMs).then((message) => message !== null);
    // Awaited later; a receiver that ends before must not count as an unhandled rejection.
    complete.catch(() => undefined);
    return { complete };
  }

  async report(): Promise<Report> {
    const answer = this.forked.mustHear('report', answerMs);
    this.forked.tell({ type: 'report' });
    return (await answer).report;
  }

  /** Whether endpoints that are switched are down, from now on. */
  async switch(down: boolean): Promise<void> {
    const switched = this.forked.mustHear('switched', answerMs);
    this.forked.tell({ type: 'switch', down });
    await switched;
  }

  stop(): Promise<void> {
    return this.forked.stop();
  }
}
