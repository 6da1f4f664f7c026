import { OffsetOutOfRange, type TopicPartition } from '#libs/kafka';
import { LogScan, type LogScanPorts } from '../log-scan.js';

const most = 3;
/** So far, in records, a scan is led on rather than that another one is opened. */
const near = 1_000;

/** Scans of one partition that are kept open, so that what is needed to tell repeats is read back once. */
export class Scans {
  readonly #at: TopicPartition;
  readonly #ports: LogScanPorts;
  /** The one used last is the last. */
  #open: LogScan[] = [];

  constructor(at: TopicPartition, ports: LogScanPorts) {
    this.#at = at;
    this.#ports = ports;
  }

  /** Whether one stands there already. */
  has(position: number): boolean {
    return this.#open.some((scan) => scan.position === position);
  }

  /** One that stands at `position`, or is led there. Throws `OffsetOutOfRange` when it is read and the log begins later. */
  async at(position: number): Promise<LogScan> {
    const scan = (await this.#ledTo(position)) ?? (await LogScan.open(this.#at, position, this.#ports, null));
    this.#open = [...this.#open.filter((one) => one !== scan), scan];
    while (this.#open.length > most) await this.#open.shift()?.close();
    return scan;
  }

  /** Whether one stands there, or can be led there. */
  reaches(position: number): boolean {
    return this.#near(position) !== undefined;
  }

  async drop(scan: LogScan): Promise<void> {
    this.#open = this.#open.filter((one) => one !== scan);
    await scan.close();
  }

  #near(position: number): LogScan | undefined {
    return (
      this.#open.find((scan) => scan.position === position) ??
      this.#open.find((scan) => scan.position < position && position - scan.position <= near)
    );
  }

  async #ledTo(position: number): Promise<LogScan | undefined> {
    const scan = this.#near(position);
    if (scan === undefined || scan.position === position) return scan;
    try {
      await scan.peek(position, near);
      scan.advance(position);
      return scan;
    } catch (error) {
      // The log begins beyond where it stands: it is of no use any more.
      await this.drop(scan);
      if (error instanceof OffsetOutOfRange) return undefined;
      throw error;
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#open.splice(0).map((scan) => scan.close()));
  }
}
