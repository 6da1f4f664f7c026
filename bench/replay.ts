/** Replays as a client of the REST API starts and watches them. */
import { machineMs } from './clock.js';
import { pathOf } from './stage.js';
import type { Platform } from './platform.js';
import type { Report } from './receiver/messages.js';

export interface ReplayView {
  readonly id: string;
  readonly state: string;
  readonly progress: { readonly scanned: number; readonly sent: number; readonly delivered: number };
}

const lookMs = 20;
const scannedMs = 600_000;

export const startReplay = (platform: Platform, body: object): Promise<ReplayView> =>
  platform.call<ReplayView>('POST', '/v1/replays', body);

export const viewReplay = (platform: Platform, id: string): Promise<ReplayView> =>
  platform.call<ReplayView>('GET', `/v1/replays/${id}`);

/** Resolves when all of its window has been read and what is wanted of it sent. */
export async function untilSent(platform: Platform, id: string): Promise<ReplayView> {
  const deadline = machineMs() + scannedMs;
  for (;;) {
    const replay = await viewReplay(platform, id);
    if (replay.state !== 'running') return replay;
    if (machineMs() > deadline) throw new Error(`${id} has not ended: ${JSON.stringify(replay.progress)}`);
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
}

/** Receipts of one endpoint by sequence number; 0: not received. */
export function arrivalsAt({ paths }: Report, tenant: string, prefix = ''): readonly number[] {
  return paths.find(({ path }) => path === prefix + pathOf(tenant, 0))?.arrivals ?? [];
}

/** How far receipts are from an exact set. */
export interface Deviation {
  readonly missing: number;
  /** Received, and not wanted. */
  readonly surplus: number;
}

/** @param from first sequence number that is wanted; @param to the one after the last */
export function deviationOf(arrivals: readonly number[], from: number, to: number): Deviation {
  let [received, surplus] = [0, 0];
  for (const [n, at] of arrivals.entries()) {
    if (at === 0) continue;
    if (n >= from && n < to) received += 1;
    else surplus += 1;
  }
  return { missing: to - from - received, surplus };
}
