/**
 * When an endpoint is left alone for a while because it fails. The same shape as CircuitConfig of libs/contracts, which
 * core cannot import.
 */
export interface CircuitConfig {
  /** Opens after so many failures in a row. */
  readonly consecutiveFailures: number;
  /** Opens at this share of failures, 0 to 1, … */
  readonly failureShare: number;
  /** … of at least so many POSTs within `windowMs`. */
  readonly minRequests: number;
  readonly windowMs: number;
  /** Wait before the first probe; doubles with each probe that fails, up to `maxOpenMs`. */
  readonly openMs: number;
  readonly maxOpenMs: number;
}

/** Of an endpoint that has none of its own. */
export const defaultCircuit: CircuitConfig = {
  consecutiveFailures: 10,
  failureShare: 0.5,
  minRequests: 20,
  windowMs: 60_000,
  openMs: 30_000,
  maxOpenMs: 300_000,
};

const mostCount = 1_000_000;
const leastMs = 1_000;
const mostMs = 86_400_000;

/** One sentence for each fault, beginning with the field; empty when the circuit can be used. */
export function circuitFaults(circuit: CircuitConfig): readonly string[] {
  const faults: string[] = [];
  const whole = (field: keyof CircuitConfig, least: number, most: number): void => {
    const value = circuit[field];
    if (Number.isSafeInteger(value) && value >= least && value <= most) return;
    faults.push(`${field} must be a whole number from ${least} to ${most}`);
  };
  whole('consecutiveFailures', 1, mostCount);
  if (!(circuit.failureShare > 0 && circuit.failureShare <= 1)) faults.push('failureShare must be above 0, at most 1');
  whole('minRequests', 1, mostCount);
  whole('windowMs', leastMs, mostMs);
  whole('openMs', leastMs, mostMs);
  whole('maxOpenMs', leastMs, mostMs);
  if (faults.length === 0 && circuit.maxOpenMs < circuit.openMs) faults.push('maxOpenMs must not be below openMs');
  return faults;
}
