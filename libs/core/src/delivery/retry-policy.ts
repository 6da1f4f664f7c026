/**
 * When to try again. The same shape as RetryPolicyConfig of libs/contracts, which core cannot import. A field that does
 * not belong to the kind (or to the kind of jitter) stands at its neutral value: 0, 1 for `factor`, empty for `delaysMs`.
 */
export interface RetryPolicy {
  /** Explicit waits, or growth from `baseMs` by `factor`. */
  readonly kind: 'schedule' | 'exponential';
  /** `schedule`: wait before the 2nd, 3rd, … POST. Their number plus one is the number of POSTs. */
  readonly delaysMs: readonly number[];
  /** `exponential`: wait before the 2nd POST. */
  readonly baseMs: number;
  /** `exponential`: by what each wait exceeds the one before. */
  readonly factor: number;
  /** `exponential`: number of POSTs. */
  readonly maxAttempts: number;
  /** proportional: ± `jitter`. full: from 0 to the wait. equal: from half of it to all of it. */
  readonly jitterKind: 'proportional' | 'full' | 'equal';
  /** `proportional`: share by which each wait varies, both ways: 0.2 is ±20 %. */
  readonly jitter: number;
  /** Longest wait that growth may reach (before jitter) or that a Retry-After may ask for. */
  readonly maxDelayMs: number;
  /** No POST is made later than this after the dispatch; null: no limit. */
  readonly maxTotalMs: number | null;
}

const secondMs = 1_000;
const dayMs = 86_400_000;

/** A policy of explicit waits, with all else as `changes` say or neutral. */
export function scheduleOf(
  delaysMs: readonly number[],
  changes: Partial<Omit<RetryPolicy, 'kind' | 'delaysMs'>> = {},
): RetryPolicy {
  return {
    kind: 'schedule',
    delaysMs,
    baseMs: 0,
    factor: 1,
    maxAttempts: 0,
    jitterKind: 'proportional',
    jitter: 0,
    maxDelayMs: dayMs,
    maxTotalMs: null,
    ...changes,
  };
}

/** Standard Webhooks: at once, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h (SPECS, Schedule). */
export const defaultRetryPolicy: RetryPolicy = scheduleOf(
  [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400].map((seconds) => seconds * secondMs),
  { jitter: 0.2 },
);

/** What an exponential policy has where nothing else is said: 5 s, 15 s, 45 s, … up to a day, 15 POSTs in all. */
export const defaultGrowth = { baseMs: 5_000, factor: 3, maxAttempts: 15 } as const;

const mostDelayMs = 30 * dayMs;
const mostTotalMs = 60 * dayMs;
const mostDelays = 100;
const mostAttempts = 100;
const mostFactor = 10;

/**
 * @returns one sentence for each fault, beginning with the field; empty when the policy can be used. Waits are whole ms
 * from 1 s to 30 days.
 */
export function retryPolicyFaults(policy: RetryPolicy): readonly string[] {
  return [...kindFaults(policy), ...jitterFaults(policy), ...limitFaults(policy)];
}

function kindFaults(policy: RetryPolicy): string[] {
  const faults: string[] = [];
  if (policy.kind === 'exponential') {
    if (policy.delaysMs.length > 0) faults.push('delaysMs belongs to the kind schedule');
    if (!isDelay(policy.baseMs)) faults.push(`baseMs ${delayRule}`);
    if (!(policy.factor >= 1 && policy.factor <= mostFactor)) faults.push(`factor must be from 1 to ${mostFactor}`);
    if (!isWhole(policy.maxAttempts, 1, mostAttempts)) {
      faults.push(`maxAttempts must be a whole number from 1 to ${mostAttempts}`);
    }
    return faults;
  }
  if (policy.delaysMs.length > mostDelays) faults.push(`delaysMs has more than ${mostDelays} entries`);
  for (const [index, delay] of policy.delaysMs.entries()) {
    if (!isDelay(delay)) faults.push(`delaysMs[${index}] ${delayRule}`);
  }
  if (policy.baseMs !== 0) faults.push('baseMs belongs to the kind exponential');
  if (policy.factor !== 1) faults.push('factor belongs to the kind exponential');
  if (policy.maxAttempts !== 0) faults.push('maxAttempts belongs to the kind exponential');
  return faults;
}

function jitterFaults({ jitterKind, jitter }: RetryPolicy): string[] {
  if (jitterKind !== 'proportional') return jitter === 0 ? [] : ['jitter belongs to the jitterKind proportional'];
  return jitter >= 0 && jitter <= 1 ? [] : ['jitter must be from 0 to 1'];
}

function limitFaults({ kind, baseMs, maxDelayMs, maxTotalMs }: RetryPolicy): string[] {
  const faults: string[] = [];
  if (!isDelay(maxDelayMs)) faults.push(`maxDelayMs ${delayRule}`);
  // It would be cut from the first wait on: surely a slip.
  else if (kind === 'exponential' && maxDelayMs < baseMs) faults.push('maxDelayMs must not be below baseMs');
  if (maxTotalMs !== null && !isWhole(maxTotalMs, secondMs, mostTotalMs)) {
    faults.push(`maxTotalMs must be null or whole milliseconds from ${secondMs} to ${mostTotalMs}`);
  }
  return faults;
}

const delayRule = `must be whole milliseconds from ${secondMs} to ${mostDelayMs}`;
const isWhole = (value: number, least: number, most: number): boolean =>
  Number.isSafeInteger(value) && value >= least && value <= most;
const isDelay = (value: number): boolean => isWhole(value, secondMs, mostDelayMs);

/**
 * Wait after POST number `attempt` (from 1) before the next one, in whole milliseconds; null when there is none left.
 * `maxTotalMs` is not looked at: it counts from a time that only the caller knows.
 * @param random in [0, 1)
 */
export function nextDelayMs(policy: RetryPolicy, attempt: number, random: number): number | null {
  const planned = plannedDelayMs(policy, attempt);
  return planned === null ? null : jittered(policy, planned, random);
}

function plannedDelayMs(policy: RetryPolicy, attempt: number): number | null {
  if (policy.kind === 'schedule') return policy.delaysMs[attempt - 1] ?? null;
  if (attempt >= policy.maxAttempts) return null;
  return Math.min(policy.maxDelayMs, policy.baseMs * policy.factor ** (attempt - 1));
}

function jittered({ jitterKind, jitter }: RetryPolicy, planned: number, random: number): number {
  switch (jitterKind) {
    case 'proportional':
      return Math.max(0, Math.round(planned * (1 + jitter * (2 * random - 1))));
    case 'full':
      return Math.round(planned * random);
    case 'equal':
      return Math.round((planned * (1 + random)) / 2);
  }
}

/** One POST of a delivery that always fails. All times are milliseconds. */
export interface PlannedPost {
  /** From 1. */
  readonly number: number;
  /** Wait before it; all 0 for the first. */
  readonly delay: { readonly least: number; readonly mean: number; readonly most: number };
  /** Since the first POST, without what the POSTs themselves take. `most` does not exceed the policy's total. */
  readonly offset: { readonly least: number; readonly most: number };
  /** False when jitter alone may push it beyond the policy's total, so that it is not made. */
  readonly certain: boolean;
}

/** The POSTs that a policy may lead to, as far as nothing else (a Retry-After, a rate, order) holds them. */
export function retryPreview(policy: RetryPolicy): readonly PlannedPost[] {
  const total = policy.maxTotalMs ?? Infinity;
  const none = { least: 0, mean: 0, most: 0 };
  const posts: PlannedPost[] = [{ number: 1, delay: none, offset: { least: 0, most: 0 }, certain: true }];
  let least = 0;
  let most = 0;
  for (let number = 2; ; number += 1) {
    const planned = plannedDelayMs(policy, number - 1);
    if (planned === null) return posts;
    const delay = {
      least: jittered(policy, planned, 0),
      mean: jittered(policy, planned, 0.5),
      most: jittered(policy, planned, 1),
    };
    least += delay.least;
    most += delay.most;
    if (least > total) return posts;
    posts.push({ number, delay, offset: { least, most: Math.min(most, total) }, certain: most <= total });
  }
}
