import type { BatchConfig } from '#libs/contracts';
import { defaultCircuit, type CircuitConfig, type RateLimitConfig } from '#libs/core';

/** What an endpoint's lane goes by. The same object as long as nothing changes: lanes look at it for each POST. */
export interface LaneSettings {
  /** POSTs on their way at once. */
  readonly maxInFlight: number;
  /** Whether fewer are allowed while the endpoint shows signs of overload. */
  readonly adaptive: boolean;
  /** Null: none. */
  readonly rateLimit: RateLimitConfig | null;
  readonly circuit: CircuitConfig;
  /** What makes up a batch; null: each delivery goes alone. */
  readonly batch: BatchConfig | null;
}

/** The fields of EndpointConfig that lanes go by. */
interface ConfiguredLane {
  readonly maxInFlight: number;
  readonly adaptiveConcurrency: boolean;
  readonly rateLimit: RateLimitConfig | null;
  readonly circuit: CircuitConfig | null;
  readonly batch: BatchConfig | null;
}

export function laneSettingsOf(config: ConfiguredLane): LaneSettings {
  return {
    maxInFlight: config.maxInFlight,
    adaptive: config.adaptiveConcurrency,
    rateLimit: config.rateLimit,
    circuit: config.circuit ?? defaultCircuit,
    batch: config.batch,
  };
}

/** Of an endpoint that is not known (any more): what waits for it is looked at one by one. */
export const unknownLaneSettings: LaneSettings = {
  maxInFlight: 1,
  adaptive: false,
  rateLimit: null,
  circuit: defaultCircuit,
  batch: null,
};
