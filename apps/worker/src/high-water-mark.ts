import type { SeenRecord } from '#libs/core';
import type { Seen } from './taken-over.js';

/** What takes the place of set and floor when that rule is taken away: it loses what a slower sender brings later. */
export class HighWaterMark implements Seen {
  readonly #highest = new Map<string, number>();

  isRepeat({ stream, incarnation, sourcePartition, endpointId, sourceOffset }: SeenRecord): boolean {
    const space = JSON.stringify([stream, incarnation, sourcePartition, endpointId]);
    if (sourceOffset <= (this.#highest.get(space) ?? -1)) return true;
    this.#highest.set(space, sourceOffset);
    return false;
  }

  end(): void {}

  readAt(): void {}

  learn(): void {}

  liveSpaces(): readonly [] {
    return [];
  }

  restorePoint(): { readonly b: number; readonly floors: readonly [] } {
    return { b: 0, floors: [] };
  }
}
