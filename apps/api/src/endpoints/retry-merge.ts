import type { RetryPolicyConfig } from '#libs/contracts';
import { defaultGrowth, defaultRetryPolicy, scheduleOf } from '#libs/core';

/** Members of a retry policy as a request names them: what is absent stays, null gives back the default. */
export type RetryPatch = { readonly [K in keyof RetryPolicyConfig]?: RetryPolicyConfig[K] | null | undefined };

/**
 * Merges by RFC 7396, not yet checked. Switching `kind` takes over what both kinds have; the rest begins at the new kind's
 * default, so that naming the kind alone is enough. Likewise `jitter` with another `jitterKind`.
 * @param defaults the deployment's policy
 */
export function mergeRetry(
  before: RetryPolicyConfig,
  patch: RetryPatch,
  defaults: RetryPolicyConfig,
): RetryPolicyConfig {
  const kind = patch.kind === null ? defaults.kind : (patch.kind ?? before.kind);
  const jitterKind = patch.jitterKind === null ? defaults.jitterKind : (patch.jitterKind ?? before.jitterKind);
  const fallback = { ...defaultOf(kind, defaults), jitterKind, jitter: defaultJitter(jitterKind, defaults) };
  const merged = { ...(kind === before.kind ? before : withKindOf(fallback, before)), jitterKind };
  if (jitterKind !== before.jitterKind) merged.jitter = fallback.jitter;
  const given = <K extends keyof RetryPolicyConfig>(field: K): RetryPolicyConfig[K] => {
    const value = patch[field];
    if (value === undefined) return merged[field];
    // `as`: null has just been told apart, which the compiler cannot follow through the index.
    return value === null ? fallback[field] : (value as RetryPolicyConfig[K]);
  };
  return {
    kind,
    delaysMs: given('delaysMs'),
    baseMs: given('baseMs'),
    factor: given('factor'),
    maxAttempts: given('maxAttempts'),
    jitterKind,
    jitter: given('jitter'),
    maxDelayMs: given('maxDelayMs'),
    maxTotalMs: given('maxTotalMs'),
  };
}

/** `before` with what belongs to the kind taken from `fallback`. */
function withKindOf(fallback: RetryPolicyConfig, before: RetryPolicyConfig): RetryPolicyConfig {
  const { kind, delaysMs, baseMs, factor, maxAttempts } = fallback;
  return { ...before, kind, delaysMs, baseMs, factor, maxAttempts };
}

function defaultOf(kind: RetryPolicyConfig['kind'], defaults: RetryPolicyConfig): RetryPolicyConfig {
  if (kind === defaults.kind) return defaults;
  const { maxDelayMs, maxTotalMs } = defaults;
  const common = { ...scheduleOf(kind === 'schedule' ? defaultRetryPolicy.delaysMs : []), maxDelayMs, maxTotalMs };
  return kind === 'schedule' ? common : { ...common, kind, ...defaultGrowth };
}

function defaultJitter(jitterKind: RetryPolicyConfig['jitterKind'], defaults: RetryPolicyConfig): number {
  if (jitterKind !== 'proportional') return 0;
  return defaults.jitterKind === 'proportional' ? defaults.jitter : defaultRetryPolicy.jitter;
}
