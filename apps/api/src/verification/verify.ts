/**
 * Reads: endpoints that are to be verified, and what is due of them, in Postgres.
 * Writes: what came of it, with the endpoint's next revision, its audit entry and its outbox row.
 * Guarantees: each try is made by one process; a result for a URL that was replaced is void; nothing is sent to an endpoint
 * before it is verified, since until then its record says so.
 * On a crash: a claim ends after a minute and the try is made again; docs/decisions/0016-verification.md has each step.
 * Test: verification.int-spec.ts, endpoint-verifications.int-spec.ts.
 */
import type { ClaimedTry, Endpoint, EndpointRepository, EndpointVerifications } from '#libs/persistence';
import { checkId } from '../http/list-query.js';
import type { Publication } from '../outbox/publish-outbox.js';
import { AppError, notFound } from '../problem/app-error.js';
import type { Asked, EndpointAsking } from './ask-endpoint.js';
import { answerOf } from './verification-answer.js';
import type { VerificationAnswer } from './verification.dto.js';

export interface VerifyPorts {
  readonly endpoints: Pick<EndpointRepository, 'get'>;
  readonly verifications: Pick<EndpointVerifications, 'claim' | 'claimDue' | 'settle' | 'release' | 'get'>;
  readonly asking: Pick<EndpointAsking, 'ask'>;
  readonly publication: Publication;
  readonly counts: { endpointVerification(method: string, result: string): void };
  readonly now: () => number;
  readonly newId: () => string;
}

/** `stopping`: it was not tried after all. `void`: its URL is another one by now, or it is gone. */
type Tried = Endpoint | 'stopping' | 'void';

export class Verify {
  constructor(private readonly ports: VerifyPorts) {}

  async get(id: string): Promise<VerificationAnswer> {
    const endpoint = await this.ports.endpoints.get(checkId('endpoint', id));
    if (endpoint === null) throw notFound('endpoint', id);
    return answerOf(endpoint, await this.ports.verifications.get(id));
  }

  /** Because somebody asks for it. */
  async verify(id: string): Promise<VerificationAnswer> {
    const { verifications, newId, now } = this.ports;
    const claim = await verifications.claim(checkId('endpoint', id), newId(), now());
    switch (claim.outcome) {
      case 'not-found':
        throw notFound('endpoint', id);
      case 'none':
        throw new AppError('no-verification', 'Choose a method for it first: `verification.method`.');
      case 'busy':
        throw new AppError('verification-under-way', 'Try again in a moment, or look at what comes of it.', {
          headers: { 'retry-after': '2' },
        });
      case 'verified':
        return this.get(id);
      case 'claimed': {
        const tried = await this.#try(claim.claimed);
        if (tried === 'stopping') throw new AppError('shutting-down', 'Try again: another process will answer.');
        if (tried === 'void') throw new AppError('conflict', 'It was given another URL, or deleted, meanwhile.');
        return answerOf(tried, await verifications.get(id));
      }
    }
  }

  /** What is due, `limit` at most; each is on its way when it resolves. @returns a promise for each */
  async due(limit: number): Promise<Promise<unknown>[]> {
    const { verifications, newId, now } = this.ports;
    const claimed = await verifications.claimDue(newId(), now(), limit);
    return claimed.map((one) => this.#try(one));
  }

  async #try(claimed: ClaimedTry): Promise<Tried> {
    const { verifications, asking, publication, counts, now } = this.ports;
    const { endpoint, verification } = claimed;
    const asked = await asking.ask(endpoint, verification);
    if (wasGivenUp(asked)) {
      await verifications.release(claimed, now());
      return 'stopping';
    }
    const after = await verifications.settle({ claimed, ...asked }, now());
    counts.endpointVerification(verification.method, after === null ? 'void' : resultOf(asked));
    if (after === null) return 'void';
    await publication.published();
    return after;
  }
}

/** By ourselves, since the process stops: it says nothing of the endpoint. */
const wasGivenUp = ({ verdict }: Asked): boolean => !verdict.verified && verdict.reason === 'aborted';

const resultOf = ({ verdict }: Asked): string => (verdict.verified ? 'verified' : verdict.reason);
