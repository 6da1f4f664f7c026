import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ended, inForce, mostSecrets, rotated, type RotatingSecret } from './secret-rotation.js';
import type { SecretKind } from './webhook-keys.js';

const now = 1_000_000;
const kind = fc.constantFrom<SecretKind>('hmac', 'ed25519');
const secrets = fc.uniqueArray(
  fc.record({
    secretId: fc.nat(20).map(String),
    kind,
    expiresAt: fc.option(fc.integer({ min: now - 10, max: now + 10 })),
  }),
  { selector: ({ secretId }) => secretId, maxLength: 5 },
);
const secret = (secretId: string, of: SecretKind, expiresAt: number | null = null): RotatingSecret => ({
  secretId,
  kind: of,
  expiresAt,
});

describe('the rotation of a secret', () => {
  it('lets the new one sign at once, first, and the old one to the end of the overlap', () => {
    const rotation = rotated([secret('old', 'hmac')], secret('new', 'hmac'), { now, overlapMs: 60 });
    expect(rotation).toEqual({
      outcome: 'rotated',
      secrets: [secret('new', 'hmac'), secret('old', 'hmac', now + 60)],
    });
  });

  it('ends the old one at once without an overlap', () => {
    const rotation = rotated([secret('old', 'hmac')], secret('new', 'hmac'), { now, overlapMs: 0 });
    expect(rotation).toEqual({ outcome: 'rotated', secrets: [secret('new', 'hmac')] });
  });

  it('never prolongs, never touches the other kind, keeps no expired one, and never exceeds what there may be', () => {
    fc.assert(
      fc.property(secrets, kind, fc.nat(20), (before, of, overlapMs) => {
        const rotation = rotated(before, secret('fresh', of), { now, overlapMs });
        const live = inForce(before, now);
        if (rotation.outcome === 'too-many') {
          expect(live.length).toBeGreaterThanOrEqual(mostSecrets);
          return;
        }
        const [fresh, ...kept] = rotation.secrets;
        expect(fresh).toEqual(secret('fresh', of));
        expect(kept.length).toBeLessThan(mostSecrets);
        for (const one of kept) {
          const old = live.find(({ secretId }) => secretId === one.secretId)!;
          if (one.kind !== of) expect(one).toEqual(old);
          else expect(one.expiresAt).toBe(Math.min(old.expiresAt ?? Infinity, now + overlapMs));
        }
        const gone = live.filter(({ secretId }) => !kept.some((one) => one.secretId === secretId));
        for (const one of gone) expect([one.kind, overlapMs]).toEqual([of, 0]);
      }),
    );
  });

  it('is refused when as many are in force as there may be, which expired ones are not', () => {
    const old = (count: number) => Array.from({ length: count }, (_, n) => secret(String(n), 'hmac', now + 1));
    const options = { now, overlapMs: 60 };
    expect(rotated(old(mostSecrets), secret('new', 'hmac'), options).outcome).toBe('too-many');
    expect(rotated(old(mostSecrets - 1), secret('new', 'hmac'), options).outcome).toBe('rotated');
    const expired = [...old(mostSecrets - 1), secret('x', 'hmac', now)];
    expect(rotated(expired, secret('new', 'hmac'), options).outcome).toBe('rotated');
  });
});

describe('the end of a secret', () => {
  it('takes that one alone, and never the last without an end', () => {
    fc.assert(
      fc.property(secrets, fc.nat(20).map(String), (before, secretId) => {
        const live = inForce(before, now);
        const rest = live.filter((one) => one.secretId !== secretId);
        const ending = ended(before, secretId, now);
        if (rest.length === live.length) expect(ending).toEqual({ outcome: 'not-found' });
        else if (rest.every(({ expiresAt }) => expiresAt !== null)) expect(ending).toEqual({ outcome: 'last' });
        else expect(ending).toEqual({ outcome: 'ended', secrets: rest });
      }),
    );
  });

  it('may leave a key pair alone', () => {
    const both = [secret('pair', 'ed25519'), secret('shared', 'hmac')];
    expect(ended(both, 'shared', now)).toEqual({ outcome: 'ended', secrets: [both[0]] });
  });
});
