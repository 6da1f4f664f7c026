import { openCallbackToken, parseAllowedRate, type MasterKeys } from '#libs/core';
import { inScope, type EndpointVerifications } from '#libs/persistence';
import type { Publication } from '../outbox/publish-outbox.js';
import { AppError } from '../problem/app-error.js';

export interface CallbackPorts {
  readonly verifications: Pick<EndpointVerifications, 'allow'>;
  readonly publication: Publication;
  readonly masterKeys: MasterKeys;
  readonly origin: string;
  readonly counts: { endpointVerification(method: string, result: string): void };
  readonly now: () => number;
}

export interface CallbackRequest {
  readonly token: string;
  /** `WebHook-Allowed-Rate`, as it came. */
  readonly allowedRate: string | undefined;
  readonly ip: string;
  readonly requestId: string;
}

/** A receiver that allows deliveries by itself, some time after the handshake (CloudEvents webhooks, section 4.1.3). */
export class VerificationCallbacks {
  constructor(private readonly ports: CallbackPorts) {}

  async call({ token, allowedRate: given, ip, requestId }: CallbackRequest): Promise<{ state: 'verified' }> {
    const { verifications, publication, masterKeys, origin, counts, now } = this.ports;
    const at = now();
    const claims = openCallbackToken(masterKeys, token, Math.floor(at / 1_000));
    if (claims === null) throw gone();
    const allowedRate = given === undefined ? null : parseAllowedRate(given);
    if (allowedRate === undefined) {
      throw new AppError('invalid-parameter', 'One header does not fit.', {
        errors: [
          {
            header: 'webhook-allowed-rate',
            code: 'invalid',
            detail: 'Must be "*" or a whole number of requests per minute from 1.',
          },
        ],
      });
    }
    const actor = { kind: 'system', id: '', name: 'callback of the receiver' } as const;
    const done = await inScope({ confinement: null, actor, ip, requestId }, () =>
      verifications.allow(claims, { origin, allowedRate }, at),
    );
    if (done === null) throw gone();
    if (done === 'verified') {
      counts.endpointVerification('handshake', 'verified');
      await publication.published();
    }
    return { state: 'verified' };
  }
}

/** Whatever is wrong with it, so that nobody learns anything by guessing. */
const gone = (): AppError =>
  new AppError('not-found', 'This callback is not valid, or not any more: let the endpoint be verified again.');
