import type { EventEnvelope } from '#libs/core';
import { RegistryUnavailable, type EventCatalogue } from '#libs/schema-codec';
import { AppError } from '../problem/app-error.js';
import type { EncodeResult, EventSchemas } from './ingest.js';

type Catalogue = Pick<EventCatalogue, 'prepare' | 'isPrepared' | 'toAvro'>;

/** The registered event types, as ingest needs them. */
export class RegisteredSchemas implements EventSchemas {
  constructor(private readonly catalogue: Catalogue) {}

  encode(event: EventEnvelope): EncodeResult | Promise<EncodeResult> {
    return this.catalogue.isPrepared(event) ? this.#encode(event) : this.#encodeLater(event);
  }

  async #encodeLater(event: EventEnvelope): Promise<EncodeResult> {
    try {
      await this.catalogue.prepare([event]);
    } catch (error) {
      if (!(error instanceof RegistryUnavailable)) throw error;
      throw new AppError(
        'registry-unavailable',
        'The schema of the event is not known here yet; nothing was appended.',
        {
          headers: { 'retry-after': '2' },
          cause: error,
        },
      );
    }
    return this.#encode(event);
  }

  #encode(event: EventEnvelope): EncodeResult {
    const result = this.catalogue.toAvro(event);
    if (result.ok) return { ok: true, value: result.bytes };
    const { code, detail, faults } = result;
    if (faults.length === 0) return { ok: false, faults: [{ code, detail }] };
    return {
      ok: false,
      faults: faults.map((fault) => ({ code, kind: fault.code, pointer: fault.pointer, detail: fault.detail })),
    };
  }
}
