import { z } from 'zod';
import { isMethodAllowed, type VerificationMethod, type VerificationRule } from '#libs/core';
import { instant } from '../http/page-answer.js';

const method = z.enum(['handshake', 'challenge']).meta({
  description:
    'How it shows that it wants what is sent to it: the handshake of CloudEvents webhooks (OPTIONS), or a signed challenge (POST).',
  example: 'challenge',
});

/** What the operator does not allow is refused where it stands. */
export const verificationField = (rule: VerificationRule) =>
  z
    .strictObject({
      method: method.superRefine((one, context) => {
        if (isMethodAllowed(rule, one)) return;
        context.addIssue({ code: 'custom', message: `The operator asks for ${JSON.stringify(rule)}` });
      }),
    })
    .meta({
      description: 'See docs/endpoint-verification.md. Null: as the operator asks for.',
      example: { method: 'challenge' },
    });

export const verificationState = z
  .object({
    method,
    state: z
      .enum(['unverified', 'verified', 'failed'])
      .meta({ description: 'Its events wait until it is verified.', example: 'failed' }),
    reason: z
      .string()
      .nullable()
      .meta({ description: 'Why the last try failed: a stable code.', example: 'origin-missing' }),
    detail: z.string().nullable().meta({ example: 'It answered 200, without WebHook-Allowed-Origin.' }),
    at: instant.meta({ description: 'Since when it is so.' }),
    allowedRate: z
      .int()
      .nullable()
      .meta({ description: 'Requests per minute that its receiver allows; null: it named no limit.', example: 600 }),
  })
  .meta({ id: 'EndpointVerificationState' });

const headers = z.record(z.string(), z.string());

export const verificationAnswer = z
  .object({
    verification: verificationState.nullable().meta({ description: 'Null: it need not be verified.' }),
    tries: z.int().meta({ description: 'Made by Posthorn itself for this URL.', example: 2 }),
    nextTryAt: instant.nullable().meta({ description: 'Null: none follows by itself.' }),
    last: z
      .object({
        at: instant,
        request: z.object({
          method: z.string().meta({ example: 'OPTIONS' }),
          url: z.string().meta({ example: 'https://example.com/hooks' }),
          headers: headers.meta({ example: { 'webhook-request-origin': 'hooks.example.com' } }),
          body: z.string(),
        }),
        response: z
          .object({
            status: z.int().meta({ example: 200 }),
            headers: headers.meta({ example: { allow: 'OPTIONS, POST' } }),
            body: z.string().meta({ description: 'Its beginning; not kept of a handshake, where it means nothing.' }),
            truncated: z.boolean(),
          })
          .nullable(),
        error: z.object({ kind: z.string(), message: z.string() }).nullable().meta({ example: null }),
        durationMs: z.int().meta({ example: 85 }),
      })
      .nullable()
      .meta({ description: 'What was sent last, and what came. What is secret in it is left out.' }),
  })
  .meta({ id: 'EndpointVerification' });

export type VerificationStateAnswer = z.output<typeof verificationState>;
export type VerificationAnswer = z.output<typeof verificationAnswer>;

/** Of a body that names a method, or gives the choice back; undefined: it says nothing of it. */
export const chosenMethod = (
  given: { readonly method: VerificationMethod } | null | undefined,
): VerificationMethod | null | undefined => given && given.method;

export const allowedAnswer = z
  .object({ state: z.literal('verified') })
  .meta({ id: 'CallbackTaken', description: 'The endpoint gets what is for it from now on.' });
