import { z } from 'zod';
import { eventPatternFault, type NetworkRules, type VerificationRule } from '#libs/core';
import { filtersField } from '../filters/filters-field.js';
import { identifier, listQuery, plainText, words } from '../http/list-query.js';
import { tenantId } from '../tenants/tenant.dto.js';
import { batchPatch, compression, contentAnswer, format, headersPatch, transformationId } from './content.dto.js';
import { authentication, caCertificates, clientCertificate, shownCredentials } from './credentials.dto.js';
import { destination } from './destination.js';
import { circuitAnswer, circuitPatch, rateLimitAnswer, rateLimitPatch } from './flow.dto.js';
import { retryAnswer, retryPatch } from './retry.dto.js';
import { sharedSecret } from './secrets.dto.js';
import { verificationField, verificationState } from '../verification/verification.dto.js';
import { versions, versionsPatch } from './versions.dto.js';

const url = (rules: NetworkRules) =>
  destination(rules).meta({ description: 'Where deliveries are POSTed.', example: 'https://example.com/hooks' });

export const eventTypes = z
  .array(
    z.string().superRefine((text, context) => {
      const fault = eventPatternFault(text);
      if (fault !== null) context.addIssue({ code: 'custom', message: `The pattern ${fault}` });
    }),
  )
  .min(1)
  .max(100)
  .meta({
    description: 'Patterns: an exact type, `task.*` (every type below task), or `*`.',
    example: ['task.*', 'project.created'],
  });

const description = plainText(500).meta({ description: 'For people.', example: 'Billing' });
const ordering = z
  .enum(['none', 'key', 'endpoint'])
  .meta({ description: 'Order asked for: none, per ordering key, or strictly one after the other.', example: 'none' });
const onExhausted = z.enum(['skip', 'halt']).meta({
  description: 'With order: whether the next of a key follows a dead letter, or waits until someone decides.',
  example: 'skip',
});
const adaptiveConcurrency = z
  .boolean()
  .meta({ description: 'Whether maxInFlight halves on 429, 503 and timeouts, and creeps up again.', example: true });
const state = z
  .enum(['active', 'paused', 'disabled'])
  .meta({ description: 'Only an active endpoint gets new deliveries.', example: 'active' });
const maxInFlight = z.int().min(1).max(1_024).meta({ description: 'POSTs on their way to it at once.', example: 16 });
const timeoutMs = z
  .int()
  .min(100)
  .max(120_000)
  .meta({ description: 'For one whole request, in milliseconds.', example: 15_000 });

const rfc3339 = z.iso.datetime({ offset: true });
const since = z
  .string()
  .transform((text, context): number | 'beginning' => {
    if (text === 'beginning') return text;
    const at = rfc3339.safeParse(text).success ? Date.parse(text) : Number.NaN;
    if (!Number.isNaN(at)) return at;
    context.addIssue({ code: 'custom', message: 'Must be an RFC 3339 time or `beginning`' });
    return z.NEVER;
  })
  .meta({
    description: 'It first gets the events from this time on, or all that the log has; without it, those from now on.',
    example: '2026-11-01T00:00:00Z',
  });

export const createEndpointBody = (rules: NetworkRules, verification: VerificationRule = 'off') =>
  z
    .strictObject({
      tenantId,
      url: url(rules),
      eventTypes,
      description: description.nullable().optional(),
      ordering: ordering.optional(),
      onExhausted: onExhausted.optional(),
      maxInFlight: maxInFlight.optional(),
      adaptiveConcurrency: adaptiveConcurrency.optional(),
      rateLimit: rateLimitPatch.nullable().optional(),
      circuit: circuitPatch.nullable().optional(),
      timeoutMs: timeoutMs.optional(),
      retry: retryPatch.optional(),
      state: state.optional(),
      since: since.optional(),
      secret: sharedSecret.optional(),
      filters: filtersField.optional(),
      versions: versions.optional(),
      format: format.optional(),
      compression: compression.optional(),
      headers: headersPatch.optional(),
      batch: batchPatch.nullable().optional(),
      transformationId: transformationId.nullable().optional(),
      authentication: authentication(rules).nullable().optional(),
      clientCertificate: clientCertificate.nullable().optional(),
      caCertificates: caCertificates.nullable().optional(),
      verification: verificationField(verification).nullable().optional(),
    })
    .meta({ id: 'CreateEndpoint', description: 'An HTTP endpoint of a tenant, and the events that it wants.' });

/** JSON merge patch (RFC 7396): what is absent stays; null gives back the default. */
export const patchEndpointBody = (rules: NetworkRules, verification: VerificationRule = 'off') =>
  z
    .strictObject({
      url: url(rules).optional(),
      eventTypes: eventTypes.optional(),
      description: description.nullable().optional(),
      ordering: ordering.nullable().optional(),
      onExhausted: onExhausted.nullable().optional(),
      maxInFlight: maxInFlight.nullable().optional(),
      adaptiveConcurrency: adaptiveConcurrency.nullable().optional(),
      rateLimit: rateLimitPatch.nullable().optional(),
      circuit: circuitPatch.nullable().optional(),
      timeoutMs: timeoutMs.nullable().optional(),
      retry: retryPatch.nullable().optional(),
      state: state.nullable().optional(),
      filters: filtersField.nullable().optional(),
      versions: versionsPatch.nullable().optional(),
      format: format.nullable().optional(),
      compression: compression.nullable().optional(),
      headers: headersPatch.nullable().optional(),
      batch: batchPatch.nullable().optional(),
      transformationId: transformationId.nullable().optional(),
      authentication: authentication(rules).nullable().optional(),
      clientCertificate: clientCertificate.nullable().optional(),
      caCertificates: caCertificates.nullable().optional(),
      verification: verificationField(verification).nullable().optional(),
    })
    .meta({ id: 'PatchEndpoint', description: 'Changes of an endpoint, as a JSON merge patch.' });

export type CreateEndpointBody = z.output<ReturnType<typeof createEndpointBody>>;
export type PatchEndpointBody = z.output<ReturnType<typeof patchEndpointBody>>;

export const listEndpointsQuery = z.strictObject({
  tenantId: identifier('Only those of this tenant.', 'acme').optional(),
  state: z.enum(['active', 'paused', 'disabled']).optional().meta({ description: 'Only those.', example: 'disabled' }),
  eventType: identifier('Only those that get this event type, by its name or a pattern.', 'task.updated').optional(),
  transformationId: identifier('Only those with this transformation.', 'tr_019ab3f2c41e7c3f').optional(),
  text: words('the URL or the description', 'billing').optional(),
  faulty: z
    .enum(['true', 'false'])
    .transform((text) => text === 'true')
    .optional()
    .meta({ description: 'Only those with `faults`, or without.', example: 'true' }),
  ...listQuery,
});

export const endpointAnswer = z
  .object({
    id: z.string().meta({ example: 'ep_019ab3f2c41e7c3f9d1f2a7c5b6e8d90' }),
    tenantId,
    url: z.string().meta({ example: 'https://example.com/hooks' }),
    description: z.string().nullable().meta({ example: 'Billing' }),
    eventTypes: z.array(z.string()).meta({ example: ['task.*', 'project.created'] }),
    filters: z.array(z.unknown()).meta({ description: 'All must match; see docs/filters.md.', example: [] }),
    versions,
    state,
    disabledReason: z.string().nullable().meta({ description: 'Why Posthorn disabled it; null otherwise.' }),
    ordering,
    onExhausted,
    maxInFlight,
    adaptiveConcurrency,
    rateLimit: rateLimitAnswer.nullable(),
    circuit: circuitAnswer.nullable().meta({ description: 'Null: the default.' }),
    timeoutMs,
    retry: retryAnswer,
    ...contentAnswer,
    ...shownCredentials,
    verification: verificationState.nullable().meta({ description: 'Null: it need not be verified.' }),
    revision: z.int().meta({ description: 'Counts the changes, from 1.', example: 1 }),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
  })
  .meta({ id: 'Endpoint' });

export type EndpointAnswer = z.output<typeof endpointAnswer>;

/** Of what its owner has set: what dispatchers counted, about right. */
export interface FaultAnswer {
  /** A filter that failed on an event, a transformation that failed, or that cancelled a delivery. */
  readonly kind: 'filter' | 'transformation' | 'cancelled';
  readonly count: number;
  readonly lastAt: string;
  readonly lastDetail: string;
}

/** The answer to its creation alone. */
export interface CreatedAnswer extends EndpointAnswer {
  readonly secret: string;
  /** Null: it begins with the events from now on. */
  readonly backfill: {
    readonly since: string;
    /** What the log does not hold any more, or may not: it is complete from `from` on. Null: nothing is missing. */
    readonly gap: { readonly partitions: readonly number[]; readonly from: string } | null;
  } | null;
}
