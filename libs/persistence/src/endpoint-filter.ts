import type { SelectQueryBuilder } from 'typeorm';
import type { EndpointState } from '#libs/contracts';
import { patternsOf } from '#libs/core';
import { wantedWords } from './dead-letter-filter.js';
import type { EndpointRow } from './entities.js';
import { wordsOf } from './words.js';

/** What is left out (or undefined) does not narrow. */
export interface EndpointFilter {
  readonly tenantId?: string | undefined;
  readonly state?: EndpointState | undefined;
  /** Those that subscribe to this type, by its name or a pattern. */
  readonly eventType?: string | undefined;
  readonly transformationId?: string | undefined;
  /** Words, or beginnings of words, of the URL and the description: all of them must be there. */
  readonly text?: string | undefined;
  /** Whether dispatchers have counted faults of its filter or transformation. */
  readonly faulty?: boolean | undefined;
}

/** @param query over `e` */
export function narrowEndpoints(query: SelectQueryBuilder<EndpointRow>, filter: EndpointFilter): void {
  const { tenantId, state, eventType, transformationId, text, faulty } = filter;
  if (tenantId !== undefined) query.andWhere('e.tenant_id = :tenantId', { tenantId });
  if (state !== undefined) query.andWhere('e.state = :state', { state });
  if (transformationId !== undefined) query.andWhere('e.transformation_id = :transformationId', { transformationId });
  if (eventType !== undefined) query.andWhere('e.event_types && :patterns', { patterns: patternsOf(eventType) });
  if (text !== undefined)
    query.andWhere(`${wordsOf(`e.url || ' ' || e.description`)} @@ ${wantedWords(':wanted')}`, { wanted: text });
  if (faulty !== undefined) {
    const some = 'EXISTS (SELECT FROM endpoint_faults f WHERE f.endpoint_id = e.id)';
    query.andWhere(faulty ? some : `NOT ${some}`);
  }
}
