import { z } from 'zod';
import type { RetryPolicyConfig } from '#libs/contracts';
import { retryPolicyFaults, retryPreview, type PlannedPost } from '#libs/core';
import { faultIssues, patchOf } from './members.js';

const ms = (description: string, example: number) =>
  z.number().meta({ description: `${description}, in milliseconds.`, example });

const retryFields = {
  kind: z.enum(['schedule', 'exponential']).meta({
    description: 'Explicit waits, or growth from baseMs by factor.',
    example: 'schedule',
  }),
  delaysMs: z
    .array(z.number())
    .max(100)
    .meta({
      description: 'schedule: waits before the 2nd, 3rd, … attempt, in milliseconds.',
      example: [5_000, 300_000],
    }),
  baseMs: ms('exponential: wait before the 2nd attempt', 5_000),
  factor: z.number().meta({ description: 'exponential: by what each wait exceeds the one before.', example: 3 }),
  maxAttempts: z.number().meta({ description: 'exponential: number of attempts.', example: 15 }),
  jitterKind: z.enum(['proportional', 'full', 'equal']).meta({
    description: 'proportional: ± jitter. full: from 0 to the wait. equal: from half of it to all of it.',
    example: 'proportional',
  }),
  jitter: z.number().meta({ description: 'proportional: share by which a wait varies, both ways.', example: 0.2 }),
  maxDelayMs: ms('Longest wait that growth may reach or a Retry-After may ask for', 86_400_000),
  maxTotalMs: ms('No attempt is made later than this after the dispatch; null: no limit', 259_200_000).nullable(),
};

export const retryAnswer = z.object(retryFields);

/** What a request names of a policy; what it amounts to is checked when it is merged. */
export const retryPatch = patchOf(retryFields);

/** A whole policy, as it will be stored. */
export const retryPolicy = retryAnswer.superRefine((policy, context) => {
  for (const issue of faultIssues(retryPolicyFaults(policy))) context.addIssue(issue);
});

export const previewBody = z
  .strictObject({ retry: retryPatch })
  .meta({ id: 'PreviewRetry', description: 'A retry policy as it would be given to a new endpoint.' });

export interface RetryPreviewAnswer {
  readonly retry: RetryPolicyConfig;
  /** The attempts of a delivery that always fails; `delayMs` is the wait before each, `offsetMs` counts from the first. */
  readonly attempts: readonly {
    readonly number: number;
    readonly delayMs: PlannedPost['delay'];
    readonly offsetMs: PlannedPost['offset'];
    /** False: with much jitter it would come after maxTotalMs, and is not made. */
    readonly certain: boolean;
  }[];
}

export const previewAnswer = (retry: RetryPolicyConfig): RetryPreviewAnswer => ({
  retry,
  attempts: retryPreview(retry).map(({ number, delay, offset, certain }) => ({
    number,
    delayMs: delay,
    offsetMs: offset,
    certain,
  })),
});
