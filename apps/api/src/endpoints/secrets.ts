import { hash } from 'node:crypto';
import { ended, inForce, mostSecrets, openSecret, publicJwk, rotated } from '#libs/core';
import type { Endpoint, EndpointRepository, StoredSecret } from '#libs/persistence';
import { checkMatch, type Precondition } from '../http/entity-tags.js';
import { checkId, dateTime, dateTimeOrNull } from '../http/list-query.js';
import type { Publication } from '../outbox/publish-outbox.js';
import { AppError, notFound } from '../problem/app-error.js';
import { inOneForm, makeSecret, type SecretMaking } from './secret-making.js';
import type { PublicKeyAnswer, RotatedAnswer, RotateSecretBody, SecretAnswer } from './secrets.dto.js';

export interface SecretPorts extends SecretMaking {
  readonly repository: Pick<EndpointRepository, 'get' | 'update'>;
  readonly publication: Publication;
}

/** What was read is what is changed; if someone changed it meanwhile, it is read again. */
const changeTries = 20;

/** The secrets that sign what an endpoint gets: Standard Webhooks 1.0.0, signature scheme. */
export class EndpointSecrets {
  constructor(private readonly ports: SecretPorts) {}

  /**
   * Brings a new secret into force at once; those of its kind sign beside it until the overlap is over. The first of the
   * other kind is added.
   */
  async rotate(
    id: string,
    { overlapSeconds, kind = 'hmac', secret }: RotateSecretBody,
    precondition: Precondition = null,
  ): Promise<RotatedAnswer> {
    const { stored, plain } = makeSecret(
      this.ports,
      checkId('endpoint', id),
      secret === undefined ? { kind } : { secret },
    );
    const after = await this.#change(id, precondition, (before, now) => {
      if (secret !== undefined) this.#refuseKnown(before, inOneForm(secret));
      const rotation = rotated(before.secrets, stored, { now, overlapMs: overlapSeconds * 1_000 });
      if (rotation.outcome === 'rotated') return rotation.secrets;
      throw new AppError(
        'too-many-secrets',
        `${mostSecrets} secrets are in force already: end one, or wait for its end.`,
      );
    });
    const replaced = after.flatMap(({ secretId, kind: of, expiresAt }) =>
      of === stored.kind && expiresAt !== null ? [{ id: secretId, expiresAt: dateTime(expiresAt) }] : [],
    );
    return { ...answerOf(stored), secret: stored.kind === 'hmac' ? plain : null, replaced };
  }

  async list(id: string): Promise<{ data: SecretAnswer[] }> {
    return { data: (await this.#inForce(id)).map(answerOf) };
  }

  /** Takes a secret out of force at once. */
  async end(id: string, secretId: string, precondition: Precondition = null): Promise<void> {
    checkId('secret of this endpoint', secretId);
    await this.#change(id, precondition, ({ secrets }, now) => {
      const ending = ended(secrets, secretId, now);
      switch (ending.outcome) {
        case 'ended':
          return ending.secrets;
        case 'not-found':
          throw notFound('secret of this endpoint', secretId);
        case 'last':
          throw new AppError(
            'last-secret',
            'Nothing would be left to sign with: rotate it instead, without an overlap.',
          );
      }
    });
  }

  async publicKeys(id: string): Promise<{ data: PublicKeyAnswer[] }> {
    const secrets = await this.#inForce(id);
    return {
      data: secrets.flatMap(({ secretId: kid, publicKey, createdAt, expiresAt }) =>
        publicKey === null
          ? []
          : [
              {
                kid,
                publicKey,
                jwk: { ...publicJwk(publicKey), kid, use: 'sig' },
                createdAt: dateTime(createdAt),
                expiresAt: dateTimeOrNull(expiresAt),
              },
            ],
      ),
    };
  }

  async #inForce(id: string): Promise<StoredSecret[]> {
    const endpoint = await this.ports.repository.get(checkId('endpoint', id));
    if (endpoint === null) throw notFound('endpoint', id);
    return inForce(endpoint.secrets, this.ports.now());
  }

  /** @returns the secrets that are in force now */
  async #change(
    id: string,
    precondition: Precondition,
    decide: (before: Endpoint, now: number) => readonly StoredSecret[],
  ): Promise<readonly StoredSecret[]> {
    const { repository, publication, now } = this.ports;
    for (let tries = 1; tries <= changeTries; tries += 1) {
      const before = await repository.get(checkId('endpoint', id));
      if (before === null) throw notFound('endpoint', id);
      const at = now();
      checkMatch(precondition, secretsTag(inForce(before.secrets, at).map(answerOf)));
      const secrets = decide(before, at);
      const result = await repository.update(id, { secrets }, { now: at, expectedRevision: before.revision });
      if (result.outcome === 'not-found') throw notFound('endpoint', id);
      if (result.outcome === 'updated') {
        await publication.published();
        return secrets;
      }
    }
    throw new AppError('conflict', 'It is being changed by others all the time. Try again.');
  }

  #refuseKnown({ endpointId, secrets }: Endpoint, given: string): void {
    const isKnown = secrets.some(
      ({ ciphertext }) => inOneForm(openSecret(this.ports.masterKeys, ciphertext, endpointId)) === given,
    );
    if (!isKnown) return;
    throw new AppError('invalid-body', 'One thing does not fit.', {
      errors: [{ pointer: '/secret', code: 'invalid', detail: 'Must be another than those that the endpoint has.' }],
    });
  }
}

/** Which secrets are in force, and until when: also the time changes it. */
export const secretsTag = (secrets: readonly Pick<SecretAnswer, 'id' | 'expiresAt'>[]): string =>
  `"${hash('sha256', JSON.stringify(secrets.map(({ id, expiresAt }) => [id, expiresAt])), 'base64url').slice(0, 22)}"`;

const answerOf = ({ secretId, kind, publicKey, createdAt, expiresAt }: StoredSecret): SecretAnswer => ({
  id: secretId,
  kind,
  publicKey,
  createdAt: dateTime(createdAt),
  expiresAt: dateTimeOrNull(expiresAt),
});
