/** What is answered of endpoints, for the OpenAPI document. */
import { z } from 'zod';
import { differenceAnswer, lifeOfType } from '../event-types/event-type-answers.js';
import { instant } from '../http/page-answer.js';
import { jsonPatchSchema } from '../transformations/transformation-answers.js';
import type { BacklogAnswer } from './endpoint-backlog.js';
import { endpointAnswer, type CreatedAnswer, type EndpointAnswer, type FaultAnswer } from './endpoint.dto.js';
import type { HaltedKeyAnswer, ResolutionAnswer } from './halted-keys.js';
import { retryAnswer, type RetryPreviewAnswer } from './retry.dto.js';

export const createdEndpoint = endpointAnswer
  .extend({
    secret: z.string().meta({
      description: 'Verifies the signatures. No later answer shows it.',
      example: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=',
    }),
    backfill: z
      .object({
        since: z.string().meta({ example: '2026-11-01T00:00:00.000Z' }),
        gap: z
          .object({ partitions: z.array(z.int()), from: instant })
          .nullable()
          .meta({ description: 'What the log does not hold any more, or may not. Null: nothing is missing.' }),
      })
      .nullable()
      .meta({ description: 'Null: it begins with the events from now on.' }),
  })
  .meta({ id: 'CreatedEndpoint' }) satisfies z.ZodType<CreatedAnswer>;

export const endpointWithFaults = endpointAnswer
  .extend({
    faults: z
      .array(
        z.object({
          kind: z.enum(['filter', 'transformation', 'cancelled']),
          count: z.int().meta({ example: 3 }),
          lastAt: instant,
          lastDetail: z.string(),
        }),
      )
      .meta({ description: 'Of what its owner has set: what dispatchers counted, about right.' }),
  })
  .meta({ id: 'EndpointWithFaults' }) satisfies z.ZodType<EndpointAnswer & { faults: readonly FaultAnswer[] }>;

const between = { least: z.number().meta({ example: 4_000 }), most: z.number().meta({ example: 6_000 }) };
export const retryPreviewSchema = z
  .object({
    retry: retryAnswer,
    attempts: z
      .array(
        z.object({
          number: z.int().meta({ example: 2 }),
          delayMs: z.object({ ...between, mean: z.number().meta({ example: 5_000 }) }),
          offsetMs: z.object(between).meta({ description: 'From the first.' }),
          certain: z
            .boolean()
            .meta({ description: 'False: with much jitter it would come after maxTotalMs, and is not made.' }),
        }),
      )
      .meta({ description: 'Of a delivery that always fails.' }),
  })
  .meta({ id: 'RetryPreview' }) satisfies z.ZodType<RetryPreviewAnswer>;

export const backlogSchema = z
  .object({
    state: z.enum(['live', 'pausing', 'paused', 'unverified', 'disabled', 'frozen', 'catching-up']),
    partitions: z
      .array(
        z.object({
          partition: z.int().meta({ example: 4 }),
          position: z.int().meta({ description: 'Of the first event that it was not sent yet.', example: 18_210 }),
          end: z.int().meta({ example: 18_655 }),
          behind: z.int().meta({ description: 'Events in between, whoever they are for.', example: 445 }),
          reason: z.enum(['paused', 'disabled', 'overflow', 'circuit', 'backfill']),
          since: instant,
          run: z.string(),
        }),
      )
      .meta({ description: 'Those of posthorn.events that it does not follow live.' }),
  })
  .meta({ id: 'Backlog' }) satisfies z.ZodType<BacklogAnswer>;

const resolutionFields = {
  deliveryId: z.string().meta({ example: 'ep_019ab3f2c41e7c3f9d1f2a7c5b6e8d90.live.0.3.1287' }),
  action: z.enum(['release', 'skip']),
  at: instant,
};
export const resolutionSchema = z
  .object(resolutionFields)
  .meta({ id: 'HaltResolution' }) satisfies z.ZodType<ResolutionAnswer>;
export const haltedKeySchema = z
  .object({
    deliveryId: resolutionFields.deliveryId,
    orderingKey: z.string().nullable().meta({ description: 'Null: the key shared by all events that have none.' }),
    event: z.object({ id: z.string(), source: z.string(), type: z.string() }),
    attemptCount: z.int().meta({ example: 10 }),
    haltedAt: instant,
    lastStatus: z.int().nullable().meta({ example: 500 }),
    lastError: z.object({ kind: z.string(), message: z.string() }).nullable(),
    resolution: z
      .object(resolutionFields)
      .nullable()
      .meta({ description: 'What was decided since, and not seen done yet.' }),
  })
  .meta({ id: 'HaltedKey' }) satisfies z.ZodType<HaltedKeyAnswer>;

export const endpointVersionSchema = z
  .object({
    revision: z.int().meta({ example: 3 }),
    change: z.enum([
      'created',
      'updated',
      'disabled',
      'resolved',
      'verified',
      'verification-failed',
      'deleted',
      'found',
    ]),
    at: instant,
    actor: z.string().nullable().meta({ description: 'Null: not known.' }),
    configVersions: z
      .array(z.int())
      .meta({ description: 'Offsets in posthorn.endpoints under which attempts name this revision.' }),
    changes: z
      .array(z.object({ field: z.string().meta({ example: 'retry.maxTotalMs' }), from: z.unknown(), to: z.unknown() }))
      .meta({ description: 'Compared with the version before, where that is known.' }),
    resolution: z
      .object({ deliveryId: z.string(), action: z.enum(['release', 'skip']) })
      .nullable()
      .meta({ description: 'What was decided of a halted delivery.' }),
    configuration: z
      .looseObject({
        url: z.string(),
        secrets: z.array(z.object({ id: z.string(), expiresAt: instant.nullable() })),
      })
      .nullable()
      .meta({ description: 'As the endpoint itself; of an older time perhaps with fewer fields. Null after the end.' }),
  })
  .meta({ id: 'EndpointVersion' });

const version = z.int().meta({ example: 1 });
export const typeVersionsSchema = z
  .object({
    others: z.enum(['first', 'latest']).meta({ description: 'Of types that come later.' }),
    data: z.array(
      z.object({
        type: z.string().meta({ example: 'task.updated' }),
        pinned: z
          .union([z.int(), z.literal('latest')])
          .nullable()
          .meta({ description: 'What was asked for; null: nothing, because the type came after the endpoint.' }),
        version: version.meta({ description: 'What it gets.' }),
        newest: version,
        behind: z.int().meta({ description: 'Versions that are newer than what it gets.' }),
        ...lifeOfType,
        difference: differenceAnswer.nullable().meta({ description: 'From what it gets to the newest.' }),
      }),
    ),
  })
  .meta({ id: 'EndpointTypeVersions' });

const shown = z.union([
  z.object({ version: version.nullable(), data: z.unknown() }),
  z.object({ code: z.string(), detail: z.string() }),
]);
export const versionPreviewSchema = z
  .object({
    type: z.string().meta({ example: 'task.updated' }),
    present: version,
    wanted: version,
    events: z
      .array(
        z.object({
          event: z.object({
            id: z.string(),
            source: z.string(),
            type: z.string(),
            time: z.string().nullable(),
            subject: z.string().nullable(),
          }),
          partition: z.int(),
          offset: z.int(),
          appendedAt: instant,
          present: shown,
          wanted: shown,
          diff: jsonPatchSchema
            .nullable()
            .meta({ description: 'JSON Patch (RFC 6902) of the data; null where one of them cannot be had.' }),
        }),
      )
      .meta({ description: 'Newest first.' }),
    lookedBack: z.object({ records: z.int(), since: instant.nullable(), partial: z.boolean() }),
  })
  .meta({ id: 'VersionPreview' });
