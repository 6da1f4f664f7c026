/** When to try again: explicit waits, each varied at random in proportion. */
export interface RetryPolicy {
  /** Wait before the 2nd, 3rd, … POST. Their number plus one is the number of POSTs. */
  readonly delaysMs: readonly number[];
  /** Share by which each wait varies, both ways: 0.2 is ±20 %. */
  readonly jitter: number;
  /** Longest wait that a Retry-After may ask for. */
  readonly maxDelayMs: number;
}

/** Standard Webhooks: at once, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h (SPECS, Schedule). */
export const defaultRetryPolicy: RetryPolicy = {
  delaysMs: [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400].map((seconds) => seconds * 1_000),
  jitter: 0.2,
  maxDelayMs: 86_400_000,
};

const leastDelayMs = 1_000;
const mostDelayMs = 30 * 86_400_000;
const mostDelays = 100;

/** @returns one sentence for each fault, empty when the policy can be used. Waits are whole ms from 1 s to 30 days. */
export function retryPolicyFaults(policy: RetryPolicy): readonly string[] {
  const faults: string[] = [];
  if (policy.delaysMs.length > mostDelays) faults.push(`delaysMs has more than ${mostDelays} entries`);
  for (const [index, delay] of policy.delaysMs.entries()) {
    if (!isDelay(delay))
      faults.push(`delaysMs[${index}] must be whole milliseconds from ${leastDelayMs} to ${mostDelayMs}`);
  }
  if (!(policy.jitter >= 0 && policy.jitter <= 1)) faults.push('jitter must be from 0 to 1');
  if (!isDelay(policy.maxDelayMs)) {
    faults.push(`maxDelayMs must be whole milliseconds from ${leastDelayMs} to ${mostDelayMs}`);
  }
  return faults;
}

const isDelay = (value: number): boolean =>
  Number.isSafeInteger(value) && value >= leastDelayMs && value <= mostDelayMs;

/**
 * Wait after POST number `attempt` (from 1) before the next one, in whole milliseconds; null when there is none left.
 * @param random in [0, 1)
 */
export function nextDelayMs(policy: RetryPolicy, attempt: number, random: number): number | null {
  const delay = policy.delaysMs[attempt - 1];
  if (delay === undefined) return null;
  return Math.max(0, Math.round(delay * (1 + policy.jitter * (2 * random - 1))));
}
