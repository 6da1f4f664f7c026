import type { TopicPartition } from '#libs/kafka';
import { LogScan, type LogScanPorts } from '../log-scan.js';

const most = 3;
/** So far, in offsets, whoever stands beyond a scan is served by it: within what it reads at once. */
const reach = 500;

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

  /** Whether one reaches there without being opened. */
  covers(position: number): boolean {
    return this.#covering(position) !== undefined;
  }

  /** One that stands at `position`, or below it within reach. */
  async at(position: number): Promise<LogScan> {
    const scan = this.#covering(position) ?? (await LogScan.open(this.#at, position, this.#ports, null));
    this.#open = [...this.#open.filter((one) => one !== scan), scan];
    while (this.#open.length > most) await this.#open.shift()?.close();
    return scan;
  }

  async drop(scan: LogScan): Promise<void> {
    this.#open = this.#open.filter((one) => one !== scan);
    await scan.close();
  }

  async close(): Promise<void> {
    await Promise.all(this.#open.splice(0).map((scan) => scan.close()));
  }

  #covering(position: number): LogScan | undefined {
    return this.#open.find((scan) => scan.position <= position && position - scan.position <= reach);
  }
}
