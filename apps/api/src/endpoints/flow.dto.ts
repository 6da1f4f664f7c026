import { z } from 'zod';
import type { CircuitConfig, RateLimit } from '#libs/contracts';
import { circuitFaults, defaultBurst, defaultCircuit, rateLimitFaults } from '#libs/core';
import { faultIssues, patchOf } from './members.js';

const rateLimitFields = {
  limit: z.number().meta({ description: 'POSTs for each `per`.', example: 10 }),
  per: z.enum(['second', 'minute', 'hour']).meta({ description: 'Unit of time.', example: 'second' }),
  burst: z.number().meta({
    description: 'POSTs that may go out at once after a rest; by default `limit` for each second, else 1.',
    example: 10,
  }),
};
const circuitFields = {
  consecutiveFailures: z.number().meta({ description: 'Opens after so many in a row.', example: 10 }),
  failureShare: z.number().meta({ description: 'Opens at this share of failures …', example: 0.5 }),
  minRequests: z.number().meta({ description: '… of at least so many POSTs …', example: 20 }),
  windowMs: z.number().meta({ description: '… within this time, in milliseconds.', example: 60_000 }),
  openMs: z.number().meta({
    description: 'Wait before the first probe, in milliseconds; doubles with each probe that fails.',
    example: 30_000,
  }),
  maxOpenMs: z.number().meta({ description: 'Longest wait before a probe, in milliseconds.', example: 300_000 }),
};

export const rateLimitAnswer = z.object(rateLimitFields);
export const circuitAnswer = z.object(circuitFields);
export const rateLimitPatch = patchOf(rateLimitFields);
export const circuitPatch = patchOf(circuitFields);

/** As they will be stored. */
export const rateLimit = rateLimitAnswer
  .superRefine((one, context) => {
    for (const issue of faultIssues(rateLimitFaults(one))) context.addIssue(issue);
  })
  .nullable();
export const circuit = circuitAnswer
  .superRefine((one, context) => {
    for (const issue of faultIssues(circuitFaults(one))) context.addIssue(issue);
  })
  .nullable();

type Patch<T> = { readonly [K in keyof T]?: T[K] | null | undefined };

/** RFC 7396, not yet checked: `limit` and `per`, which have no default, may still be missing. */
export function mergeRateLimit(before: RateLimit | null, patch: Patch<RateLimit> | null): Partial<RateLimit> | null {
  if (patch === null) return null;
  const limit = patch.limit === undefined ? before?.limit : patch.limit;
  const per = patch.per === undefined ? before?.per : patch.per;
  const merged = { ...(typeof limit === 'number' ? { limit } : {}), ...(typeof per === 'string' ? { per } : {}) };
  const burst = patch.burst === undefined ? before?.burst : patch.burst;
  if (typeof burst === 'number') return { ...merged, burst };
  return { ...merged, burst: defaultBurst({ limit: merged.limit ?? 1, per: merged.per ?? 'minute' }) };
}

/** RFC 7396, not yet checked. An endpoint without a circuit of its own has the default one. */
export function mergeCircuit(before: CircuitConfig | null, patch: Patch<CircuitConfig> | null): CircuitConfig | null {
  if (patch === null) return null;
  const base = before ?? defaultCircuit;
  const given = (field: keyof CircuitConfig): number => {
    const value = patch[field];
    return value === undefined ? base[field] : (value ?? defaultCircuit[field]);
  };
  return {
    consecutiveFailures: given('consecutiveFailures'),
    failureShare: given('failureShare'),
    minRequests: given('minRequests'),
    windowMs: given('windowMs'),
    openMs: given('openMs'),
    maxOpenMs: given('maxOpenMs'),
  };
}
