import type { RateLimit } from '#libs/contracts';
import type { NewReplay, Replay, ReplayChange, Replays } from '#libs/persistence';
import { z } from 'zod';
import { mergeRateLimit, rateLimit } from '../endpoints/flow.dto.js';
import { preconditionFailed, type Precondition } from '../http/entity-tags.js';
import { checkId, listed } from '../http/list-query.js';
import type { Publication } from '../outbox/publish-outbox.js';
import { AppError, notFound } from '../problem/app-error.js';
import { checkBody } from '../problem/check-input.js';
import { answerOf, stateOf, type ReplayAnswer } from './replay-answer.js';
import type { HowToSend, listReplaysQuery, PatchReplayBody } from './replay.dto.js';

export interface ReplayPorts {
  readonly replays: Replays;
  readonly publication: Publication;
  readonly now: () => number;
  readonly newId: () => string;
}

/** What a replay is about; how it is sent comes from the request. */
export type ReplayOf = Omit<NewReplay, 'replayId' | 'rateLimit' | 'newIds' | 'description'>;

/** Replays, once they exist. */
export class ReplayDesk {
  constructor(private readonly ports: ReplayPorts) {}

  /** Stores it and tells dispatchers. Throws `nothing-to-replay` when it has no partitions. */
  async begin(replay: ReplayOf, how: HowToSend): Promise<ReplayAnswer> {
    const { replays, publication, newId, now } = this.ports;
    const sent = { rateLimit: rateOf(how), newIds: how.newIds ?? false, description: how.description ?? '' };
    if (replay.partitions.length === 0) throw nothingToReplay(replay);
    const created = await replays.create({ ...replay, ...sent, replayId: `replay:${newId()}` }, now());
    if (created === null) throw unknownTenant(replay.tenantId);
    await publication.published();
    return answerOf(created, now());
  }

  async list(query: z.output<typeof listReplaysQuery>): Promise<{ data: ReplayAnswer[]; nextCursor: string | null }> {
    const now = this.ports.now();
    const { data, nextCursor } = await listed(() => this.ports.replays.list(query, now));
    return { data: data.map((one) => answerOf(one, now)), nextCursor };
  }

  async get(id: string): Promise<ReplayAnswer> {
    const now = this.ports.now();
    const found = await this.ports.replays.get(checkId('replay', id), now);
    if (found === null) throw notFound('replay', id);
    return answerOf(found, now);
  }

  pause(id: string): Promise<ReplayAnswer> {
    return this.#changed(id, (now) => this.ports.replays.pause(id, now));
  }

  resume(id: string): Promise<ReplayAnswer> {
    return this.#changed(id, (now) => this.ports.replays.resume(id, now));
  }

  cancel(id: string): Promise<ReplayAnswer> {
    return this.#changed(id, (now) => this.ports.replays.cancel(id, now));
  }

  /** JSON merge patch (RFC 7396). */
  patch(id: string, { rateLimit: patch }: PatchReplayBody, precondition: Precondition = null): Promise<ReplayAnswer> {
    const merged = (before: RateLimit | null) =>
      patch === undefined ? before : checkedRate(mergeRateLimit(before, patch));
    const isExpected = (replay: Replay): boolean => precondition === null || precondition(replayTag(replay));
    return this.#changed(id, (now) => this.ports.replays.setRate(id, merged, now, isExpected));
  }

  async #changed(id: string, change: (now: number) => Promise<ReplayChange>): Promise<ReplayAnswer> {
    checkId('replay', id);
    const now = this.ports.now();
    const result = await change(now);
    switch (result.outcome) {
      case 'not-found':
        throw notFound('replay', id);
      case 'unexpected':
        throw preconditionFailed(replayTag(result.replay));
      case 'ended':
        throw new AppError('replay-ended', `It is ${stateOf(result.replay)}.`);
      case 'changed':
      case 'unchanged':
        await this.ports.publication.published();
        return answerOf(result.replay, now);
    }
  }
}

export const replayTag = ({ revision }: Pick<Replay, 'revision'>): string => `"${revision}"`;

/** The limit that a request asks for, checked as a whole; null: none. */
export const rateOf = ({ rateLimit: asked }: Pick<HowToSend, 'rateLimit'>): RateLimit | null =>
  checkedRate(mergeRateLimit(null, asked ?? null));

const withRate = z.object({ rateLimit });
const checkedRate = (merged: Partial<RateLimit> | null): RateLimit | null =>
  checkBody(withRate, { rateLimit: merged }).rateLimit;

export const unknownTenant = (tenantId: string): AppError =>
  new AppError('unknown-tenant', `There is no tenant ${JSON.stringify(tenantId)}.`, {
    errors: [{ pointer: '/tenantId', code: 'unknown-tenant', detail: 'There is no such tenant.' }],
  });

function nothingToReplay({ source, gaps }: Pick<Replay, 'source' | 'gaps'>): AppError {
  const what = source === 'events' ? 'The log holds no record in this window' : 'No open dead letter matches';
  return new AppError(
    'nothing-to-replay',
    gaps.length === 0 ? `${what}.` : `${what} any more: retention has deleted it.`,
  );
}
