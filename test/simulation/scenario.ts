import type { BatchConfig, EndpointConfig, EndpointOrdering } from '#libs/contracts';
import { partitionFor } from '#libs/core';
import type { Random } from './random.js';
import type { Behaviour } from './receiver.js';

/** What can be done to a running system. Each has a count, which must not stay 0 over a run of seeds. */
export const faults = [
  'crashWorker',
  'crashWorkerInCall',
  'stopWorker',
  'startWorker',
  'zombieWorker',
  'crashDispatcher',
  'crashDispatcherInCall',
  'crashDispatcherInWrite',
  'stopDispatcher',
  'startDispatcher',
  'zombieDispatcher',
  'expelMember',
  'brokersAway',
  'lateRequests',
  'loseSendAnswers',
  'loseCommitAnswers',
  'databaseAway',
  'loseDatabaseAnswers',
  'changeOrdering',
  'pauseEndpoint',
  'deleteEndpoint',
  'steerReplay',
  'restartGenerations',
  'changeBatch',
] as const;

export type Fault = (typeof faults)[number];

type BehaviourName = 'ok' | 'slow' | 'hangs' | 'failsFirst' | 'flaky' | 'down' | 'dead';

/** Which situations are likely. The checks are the same for all of them. */
export interface Profile {
  readonly faults: Readonly<Partial<Record<Fault, number>>>;
  /** Mean time between two faults, in ms; a run draws from half of it to twice as much. */
  readonly faultEveryMs: number;
  readonly orderings: Readonly<Partial<Record<EndpointOrdering, number>>>;
  readonly behaviours: Readonly<Partial<Record<BehaviourName, number>>>;
  readonly events: readonly [number, number];
  /** No event comes after that many ms. */
  readonly eventsUntilMs: number;
  /** No fault is injected between these, in ms. */
  readonly lull: readonly [number, number];
  readonly activeMs: readonly [number, number];
  /** Shares, from 0 to 1: endpoints with a rate limit, endpoints that are created while events come. */
  readonly rateLimited: number;
  readonly createdLate: number;
  /** Share of the latter that begin in the past. */
  readonly backfilled: number;
  /** Share of endpoints that ask for batches, and of runs in which a send takes few records. */
  readonly batched: number;
  readonly smallSends: number;
  /** Shares of runs: with a low bound of outstanding for an endpoint, with replays. */
  readonly flooded: number;
  readonly replayed: number;
  /** How often what a process has handed over arrives late when it crashes or falls asleep. */
  readonly heldUp: number;
  /** By how much, where it is more than a little. */
  readonly heldUpMs: readonly [number, number];
  /** What a message takes, as a rule. */
  readonly latencyMs: readonly [number, number];
  /** Share of crashes that the group hears of at once; else the session has to run out. */
  readonly crashesHeardOf: number;
  readonly workers: readonly [number, number];
  /** By how much requests are late while they are. */
  readonly lateMs: readonly [number, number];
  readonly commitEveryMs: readonly [number, number];
  readonly feedLagMs: readonly number[];
  /** Share of runs without any fault, which are checked for lateness too. */
  readonly calm: number;
}

export const everything: Profile = {
  faults: {
    crashWorker: 3,
    crashWorkerInCall: 4,
    stopWorker: 2,
    startWorker: 2,
    zombieWorker: 5,
    crashDispatcher: 2,
    crashDispatcherInCall: 2,
    crashDispatcherInWrite: 1,
    stopDispatcher: 1,
    startDispatcher: 1,
    zombieDispatcher: 3,
    expelMember: 2,
    brokersAway: 1,
    lateRequests: 4,
    loseSendAnswers: 4,
    loseCommitAnswers: 2,
    changeOrdering: 1,
    databaseAway: 0.5,
    loseDatabaseAnswers: 1,
    pauseEndpoint: 2,
    deleteEndpoint: 0.4,
    steerReplay: 0.7,
    restartGenerations: 0.7,
    changeBatch: 0.7,
  },
  faultEveryMs: 1_500,
  orderings: { none: 1, key: 2, endpoint: 1 },
  behaviours: { ok: 3, slow: 1, hangs: 1, failsFirst: 2, flaky: 2, down: 1, dead: 0.6 },
  events: [12, 40],
  eventsUntilMs: Infinity,
  lull: [0, 0],
  activeMs: [6_000, 20_000],
  rateLimited: 0.2,
  createdLate: 0.2,
  backfilled: 0.6,
  flooded: 0.1,
  replayed: 0.3,
  batched: 0.35,
  smallSends: 0.2,
  heldUp: 0.6,
  heldUpMs: [4_000, 12_000],
  latencyMs: [1, 6],
  crashesHeardOf: 0.3,
  workers: [1, 3],
  lateMs: [500, 9_000],
  commitEveryMs: [60, 400],
  feedLagMs: [0, 50, 400, 2_500],
  calm: 0.05,
};

export interface EndpointPlan {
  readonly endpointId: string;
  readonly partition: number;
  /** Ms since the start; 0: it is there before the first event. */
  readonly createdAt: number;
  /** It begins in the past: at this share of what is there when it is created, from 0 to 1. Null: live. */
  readonly backfillFrom: number | null;
  readonly config: Partial<EndpointConfig> & Pick<EndpointConfig, 'ordering' | 'rateLimit'>;
  readonly behaviour: BehaviourName;
  readonly react: Behaviour;
}

export interface ReplayPlan {
  readonly replayId: string;
  /** When it is asked for, in ms. */
  readonly at: number;
  readonly endpointIds: readonly string[];
  /** Its begin, as a share of what is there by then, from 0 to 1. */
  readonly from: number;
}

/** One run, as its seed has drawn it. */
export interface Scenario {
  readonly calm: boolean;
  readonly deliveryPartitions: number;
  readonly sourcePartitions: number;
  readonly endpoints: readonly EndpointPlan[];
  /** When each event is produced, in ms, with its key (null: none) and its source partition. */
  readonly events: readonly { readonly at: number; readonly key: string | null; readonly partition: number }[];
  readonly workers: number;
  readonly latencyMs: readonly [number, number];
  readonly dispatchers: number;
  readonly laneRecords: number;
  readonly maxInFlight: number;
  readonly commitEveryMs: number;
  readonly trimEveryMs: number;
  readonly idleSpacesEveryMs: number;
  readonly circuitFreezeMs: number;
  readonly endpointMaxOutstanding: number;
  readonly replays: readonly ReplayPlan[];
  /** Until then faults are injected and endpoints misbehave; then everything heals. */
  readonly activeMs: number;
  readonly faultEveryMs: number;
  /** Now and then a fetch answers so much later. */
  readonly feedLagMs: number;
  /** That a partition takes in one request. */
  readonly sendRecords: number;
}

export function drawScenario(random: Random, profile: Profile): Scenario {
  const calm = random.chance(profile.calm);
  const deliveryPartitions = random.int(1, 3);
  const sourcePartitions = random.int(1, 2);
  const activeMs = random.int(...profile.activeMs);
  const endpoints = Array.from({ length: random.int(2, 5) }, (_, nth) =>
    drawEndpoint(`ep_${nth}`, random, profile, { calm, deliveryPartitions, activeMs }),
  );
  const keys = Array.from({ length: random.int(1, 4) }, (_, nth) => `key-${nth}`);
  const bursty = random.chance(0.5);
  const events = Array.from(
    { length: random.int(...profile.events) },
    (_, nth, at = random.int(100, Math.min(activeMs, profile.eventsUntilMs))) => {
      const key = random.chance(0.1) ? null : random.int(0, keys.length - 1);
      return {
        at: bursty ? Math.ceil(at / 3_000) * 3_000 - 2_000 + nth : at,
        key: key === null ? null : (keys[key] ?? null),
        partition: (key ?? 0) % sourcePartitions,
      };
    },
  ).toSorted((a, b) => a.at - b.at);
  const drawn: Scenario = {
    calm,
    deliveryPartitions,
    sourcePartitions,
    endpoints,
    events,
    workers: random.int(...profile.workers),
    latencyMs: profile.latencyMs,
    dispatchers: random.int(1, 2),
    laneRecords: calm ? 100 : random.int(3, 8),
    maxInFlight: calm ? 64 : random.int(3, 16),
    commitEveryMs: random.int(...profile.commitEveryMs),
    trimEveryMs: random.pick([300, 2_000, 20_000]),
    idleSpacesEveryMs: random.pick([400, 3_000, 30_000]),
    circuitFreezeMs: random.pick([1_500, 120_000]),
    endpointMaxOutstanding: !calm && random.chance(profile.flooded) ? random.int(4, 12) : 10_000,
    replays: calm ? [] : drawReplays(random, profile, endpoints, activeMs),
    activeMs,
    faultEveryMs: Math.round(profile.faultEveryMs * (0.5 + 1.5 * random.next())),
    feedLagMs: calm ? 0 : (random.pick(profile.feedLagMs) ?? 0),
    sendRecords: 1_000,
  };
  // Last, so that all else stays what it is for a seed.
  return {
    ...drawn,
    endpoints: endpoints.map((plan) => (random.chance(profile.batched) ? withBatch(plan, random) : plan)),
    sendRecords: random.chance(profile.smallSends) ? random.int(1, 3) : 1_000,
  };
}

export const drawBatch = (random: Random): BatchConfig => ({
  maxEvents: random.int(1, 5),
  // An event has some 150 bytes.
  maxBytes: random.pick([400, 100_000]),
  maxWaitMs: random.pick([0, 50, 400, 1_500]),
});

const withBatch = (plan: EndpointPlan, random: Random): EndpointPlan => ({
  ...plan,
  config: { ...plan.config, batch: drawBatch(random) },
});

function drawReplays(
  random: Random,
  profile: Profile,
  endpoints: readonly EndpointPlan[],
  activeMs: number,
): readonly ReplayPlan[] {
  if (!random.chance(profile.replayed)) return [];
  return Array.from({ length: random.int(1, 2) }, (_, nth) => ({
    replayId: `replay:${nth}`,
    at: random.int(Math.round(activeMs / 4), activeMs),
    endpointIds: endpoints.filter(() => random.chance(0.5)).map(({ endpointId }) => endpointId),
    from: random.chance(0.5) ? 0 : random.next(),
  }));
}

/** Over the topics of 5 s and 30 s, and in memory alone. */
const schedules: readonly [readonly number[], ...(readonly number[])[]] = [
  [1_000, 7_000, 40_000],
  [1_000, 1_000, 7_000],
  [1_000, 7_000],
  [7_000, 1_000, 1_000, 7_000],
];
/** For one that never answers well: in order, all its deliveries come one after the other. */
const shortSchedules: readonly [readonly number[], ...(readonly number[])[]] = [[1_000], [1_000, 1_000], [7_000]];

function drawEndpoint(
  endpointId: string,
  random: Random,
  profile: Profile,
  { calm, deliveryPartitions, activeMs }: { calm: boolean; deliveryPartitions: number; activeMs: number },
): EndpointPlan {
  const ordering = calm ? 'none' : (random.weighted(profile.orderings) ?? 'none');
  const behaviour = calm
    ? random.pick<BehaviourName>(['ok', 'failsFirst'])
    : (random.weighted(profile.behaviours) ?? 'ok');
  const limited = !calm && random.chance(profile.rateLimited);
  const createdAt = !calm && random.chance(profile.createdLate) ? random.int(500, activeMs) : 0;
  const delaysMs = random.pick(behaviour === 'dead' ? shortSchedules : schedules);
  return {
    endpointId,
    partition: partitionFor(endpointId, deliveryPartitions),
    behaviour,
    createdAt,
    backfillFrom: createdAt > 0 && random.chance(profile.backfilled) ? random.next() : null,
    react: reactions[behaviour](random, activeMs),
    config: {
      ordering,
      rateLimit: limited ? { limit: random.int(2, 6), per: 'second', burst: random.int(1, 4) } : null,
      maxInFlight: calm ? 16 : random.int(1, 6),
      timeoutMs: random.int(1_500, 4_000),
      retry: {
        kind: 'schedule',
        delaysMs,
        jitter: 0.1,
        jitterKind: 'proportional',
        maxDelayMs: 60_000,
        baseMs: 0,
        factor: 1,
        maxAttempts: 0,
        maxTotalMs: null,
      },
      onExhausted: 'skip',
      circuit: {
        consecutiveFailures: calm ? 1_000 : random.int(3, 10),
        failureShare: 1,
        minRequests: calm ? 100_000 : 20,
        windowMs: 10_000,
        openMs: 500,
        maxOpenMs: 1_500,
      },
    },
  };
}

const soon = (random: Random): number => random.int(1, 200);

/** Each behaves until the run heals; a dead one for ever. */
const reactions: Readonly<Record<BehaviourName, (random: Random, activeMs: number) => Behaviour>> = {
  ok: () => (_, __, random) => ({ status: 200, afterMs: soon(random) }),
  slow: (_, until) => (__, elapsed, random) => ({
    status: 200,
    afterMs: elapsed < until ? random.int(300, 2_500) : soon(random),
  }),
  hangs: (_, until) => (__, elapsed, random) => ({
    status: elapsed < until && random.chance(0.3) ? 0 : 200,
    afterMs: soon(random),
  }),
  failsFirst: (random) => {
    const failures = random.int(1, 2);
    return (nth, _, now) => ({ status: nth <= failures ? 500 : 200, afterMs: soon(now) });
  },
  flaky: (_, until) => (__, elapsed, random) => ({
    status: elapsed < until && random.chance(0.35) ? random.pick([500, 503, 429, 404]) : 200,
    afterMs: soon(random),
  }),
  down: (random, until) => {
    const from = random.int(0, until);
    const to = from + random.int(1_000, 8_000);
    return (_, elapsed, now) => ({ status: elapsed >= from && elapsed < to ? 503 : 200, afterMs: soon(now) });
  },
  dead: () => (_, __, random) => ({ status: 500, afterMs: soon(random) }),
};
