import type { SecretKind } from './webhook-keys.js';

/** A secret of an endpoint, as far as rotation looks at it. Unix milliseconds; null: without end. */
export interface RotatingSecret {
  readonly secretId: string;
  readonly kind: SecretKind;
  readonly expiresAt: number | null;
}

/** Each signs every request: more of them only make headers longer. */
export const mostSecrets = 4;

/** `too-many`: as many as there may be are in force. The list is in the order in which they sign. */
export type Rotation<S> =
  { readonly outcome: 'rotated'; readonly secrets: readonly S[] } | { readonly outcome: 'too-many' };

/** `last`: nothing without end would be left to sign with. */
export type Ending<S> =
  { readonly outcome: 'ended'; readonly secrets: readonly S[] } | { readonly outcome: 'not-found' | 'last' };

export const inForce = <S extends Pick<RotatingSecret, 'expiresAt'>>(secrets: readonly S[], now: number): S[] =>
  secrets.filter(({ expiresAt }) => expiresAt === null || expiresAt > now);

/**
 * A new secret signs at once; those of its kind end when the overlap does, or before, if that was decided already. Those of
 * the other kind stay: so the first of a kind is added, not exchanged.
 */
export function rotated<S extends RotatingSecret>(
  secrets: readonly S[],
  fresh: S,
  { now, overlapMs }: { readonly now: number; readonly overlapMs: number },
): Rotation<S> {
  const overlapEnds = now + overlapMs;
  const kept = inForce(
    secrets.map((one) =>
      one.kind === fresh.kind ? { ...one, expiresAt: Math.min(one.expiresAt ?? overlapEnds, overlapEnds) } : one,
    ),
    now,
  );
  return kept.length >= mostSecrets ? { outcome: 'too-many' } : { outcome: 'rotated', secrets: [fresh, ...kept] };
}

/** Takes a secret out of force at once. */
export function ended<S extends RotatingSecret>(secrets: readonly S[], secretId: string, now: number): Ending<S> {
  const live = inForce(secrets, now);
  const rest = live.filter((one) => one.secretId !== secretId);
  if (rest.length === live.length) return { outcome: 'not-found' };
  return rest.some(({ expiresAt }) => expiresAt === null) ? { outcome: 'ended', secrets: rest } : { outcome: 'last' };
}
