import { RebuildSuperseded, type Advance, type RebuildStore } from '#libs/persistence';
import type { ProjectPorts } from './project.js';
import type { Slice } from './record-queue.js';
import { SliceWriter, type SliceWriterOptions } from './slice-writer.js';

export interface ShadowWriterPorts extends Pick<SliceWriterOptions, 'codecs' | 'topics' | 'logger' | 'schedule'> {
  readonly unreadable: ProjectPorts['unreadable'];
  readonly patient: ProjectPorts['patient'];
  readonly breathe: ProjectPorts['breathe'];
}

/**
 * Writes slices of the log beside the projection in use, through outages of Postgres, as the projector itself does. What
 * was projected before disables no endpoint again: that was done then, and people may have changed it since.
 */
export class ShadowWriter {
  readonly #writer: SliceWriter;
  #ended: Error | null = null;

  /** @param of a stretch of the log: whether endpoints are disabled that asked for it there; whether it is in no figure yet */
  constructor(
    to: Pick<RebuildStore, 'shadow' | 'positions'>,
    ports: ShadowWriterPorts,
    of: { acts(advance: Advance): boolean; counts(advance: Advance): boolean },
  ) {
    const { shadow } = to;
    const end = (error: Error): never => {
      this.#ended = error;
      throw error;
    };
    const store: SliceWriterOptions['store'] = {
      apply: async (batch) => {
        try {
          const { advances, disables } = batch;
          const uncounted = !advances.every((one) => of.counts(one));
          return await shadow.apply({
            ...batch,
            uncounted,
            disables: advances.every((one) => of.acts(one)) ? disables : [],
          });
        } catch (error) {
          if (error instanceof RebuildSuperseded) end(error);
          throw error;
        }
      },
      open: (partitions) => to.positions(partitions),
      skip: () => Promise.resolve(),
    };
    this.#writer = new SliceWriter(
      { ...ports, store },
      {
        wanted: () => this.#ended === null,
        startOf: ({ from }) => from,
        reached: () => undefined,
        elsewhere: () => end(new RebuildSuperseded('somebody else writes to the tables of this rebuild')),
      },
    );
  }

  /** Resolves when it is written. @throws RebuildSuperseded */
  async write(slice: Slice): Promise<void> {
    await this.#writer.write([slice]);
    if (this.#ended !== null) throw this.#ended;
  }
}
