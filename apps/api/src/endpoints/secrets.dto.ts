import { z } from 'zod';
import { secretFault, secretKindOf } from '#libs/core';

const longestOverlapSeconds = 604_800;
const defaultOverlapSeconds = 86_400;

/** A secret that somebody else has made. What is said of it never shows it. */
const imported = (faultOf: (text: string) => string | null) =>
  z
    .string()
    .max(200)
    .superRefine((text, context) => {
      const message = faultOf(text);
      if (message !== null) context.addIssue({ code: 'custom', message });
    });

const sharedFault = (text: string): string | null =>
  secretKindOf(text) === 'hmac' ? secretFault(text) : 'Must begin with whsec_: add a key pair by a rotation';

/** At creation: a shared one, since every endpoint begins with that. */
export const sharedSecret = imported(sharedFault).meta({
  description:
    'One that you have made: `whsec_` and the base64 of 24 to 64 random bytes. Without it, Posthorn makes one.',
  example: 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD',
});

const kind = z.enum(['hmac', 'ed25519']).meta({
  description: '`hmac`: shared, signs as `v1`. `ed25519`: a key pair, signs as `v1a`; receivers get its public key.',
  example: 'hmac',
});
const secretId = z.string().meta({ description: 'Names the secret.', example: 'sec_019ab3f2c41e7c3f9d1f2a7c5b6e8d90' });
const publicKey = z.string().meta({
  description: 'Of a key pair: `whpk_` and base64.',
  example: 'whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=',
});

export const rotateSecretBody = z
  .strictObject({
    overlapSeconds: z
      .int()
      .min(0)
      .max(longestOverlapSeconds)
      .default(defaultOverlapSeconds)
      .meta({ description: 'How long those of the same kind go on signing beside the new one.', example: 86_400 }),
    kind: kind.optional(),
    secret: imported(secretFault).optional().meta({
      description: 'One that you have made, `whsec_…` or `whsk_…`. Without it, Posthorn makes one.',
      example: 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD',
    }),
  })
  .superRefine((body, context) => {
    if (body.kind === undefined || body.secret === undefined || body.kind === secretKindOf(body.secret)) return;
    context.addIssue({ code: 'custom', path: ['kind'], message: 'Must be what the secret is, or left out' });
  })
  .meta({ id: 'RotateSecret', description: 'A new secret, which signs at once.' });

export type RotateSecretBody = z.output<typeof rotateSecretBody>;

export const secretAnswer = z
  .object({
    id: secretId,
    kind,
    publicKey: publicKey.nullable(),
    createdAt: z.iso.datetime(),
    expiresAt: z.iso.datetime().nullable().meta({ description: 'When it ends; null: it has no end.' }),
  })
  .meta({ id: 'EndpointSecret', description: 'What is known of a secret that is in force; never the secret itself.' });

export type SecretAnswer = z.output<typeof secretAnswer>;

export const rotatedAnswer = secretAnswer
  .extend({
    secret: z.string().nullable().meta({
      description: 'Shown here and nowhere else. Null for a key pair: its public key is all that a receiver needs.',
    }),
    replaced: z.array(z.object({ id: secretId, expiresAt: z.iso.datetime() })).meta({
      description: 'Those of its kind that sign beside it, and until when.',
    }),
  })
  .meta({ id: 'RotatedSecret' });

export type RotatedAnswer = z.output<typeof rotatedAnswer>;

export const publicKeyAnswer = z
  .object({
    kid: secretId,
    publicKey,
    jwk: z
      .object({
        kty: z.literal('OKP'),
        crv: z.literal('Ed25519'),
        x: z.string(),
        kid: z.string(),
        use: z.literal('sig'),
      })
      .meta({ description: 'The same as a JSON Web Key (RFC 8037).' }),
    createdAt: z.iso.datetime(),
    expiresAt: z.iso.datetime().nullable(),
  })
  .meta({ id: 'PublicKey', description: 'Verifies `v1a` signatures of this endpoint.' });

export type PublicKeyAnswer = z.output<typeof publicKeyAnswer>;
