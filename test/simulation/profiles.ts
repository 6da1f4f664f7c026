import type { ViolationKind } from './evidence.js';
import { everything, type Profile } from './scenario.js';
import type { Ablation } from './world.js';

/** Rules that the simulation takes away, what it must then find, and the situations in which it does soon. */
export interface AblationPlan {
  readonly finds: readonly ViolationKind[];
  readonly profile: Profile;
}

/** Workers sleep and die with much on its way, which arrives when others have taken over; endpoints fail, so copies are made. */
const workersInTrouble: Profile = {
  ...everything,
  faults: {
    crashWorker: 3,
    crashWorkerInCall: 3,
    startWorker: 2,
    zombieWorker: 6,
    expelMember: 3,
    lateRequests: 3,
    loseSendAnswers: 2,
  },
  faultEveryMs: 1_200,
  behaviours: { ok: 1, failsFirst: 3, flaky: 3, hangs: 1 },
  rateLimited: 0,
  createdLate: 0,
  backfilled: 0,
  flooded: 0,
  replayed: 0,
  heldUp: 1,
  calm: 0,
};

/** Workers' requests are late by more than a session, so that commits arrive when others have taken over, often twice. */
const commitsInTrouble: Profile = {
  ...workersInTrouble,
  faults: {
    crashWorker: 2,
    startWorker: 3,
    stopWorker: 2,
    zombieWorker: 2,
    expelMember: 2,
    lateRequests: 5,
  },
  faultEveryMs: 400,
  lateMs: [8_000, 14_000],
  commitEveryMs: [20, 80],
  activeMs: [15_000, 25_000],
};

/**
 * Workers die in the midst of appending copies, which arrive one and a half minutes later, when another owner has long
 * closed their deliveries and has gone in its turn: beyond the minute for which a worker remembers what it closed.
 */
const stragglersInTrouble: Profile = {
  ...workersInTrouble,
  faults: { crashWorker: 2, crashWorkerInCall: 8 },
  faultEveryMs: 2_500,
  lull: [12_000, 100_000],
  activeMs: [118_000, 128_000],
  eventsUntilMs: 10_000,
  heldUpMs: [90_000, 112_000],
  crashesHeardOf: 1,
  workers: [1, 1],
  behaviours: { failsFirst: 1 },
  feedLagMs: [0],
};

/** Workers die while answers to their sends are lost, so that what they have settled meanwhile is committed before it stands. */
const batchesInTrouble: Profile = {
  ...workersInTrouble,
  faults: { crashWorker: 6, crashWorkerInCall: 4, startWorker: 3, loseSendAnswers: 8 },
  faultEveryMs: 400,
  commitEveryMs: [20, 60],
  behaviours: { ok: 2, failsFirst: 1 },
  batched: 1,
  smallSends: 1,
  crashesHeardOf: 1,
};

/** Dispatchers take over from one another with much uncommitted, and know different endpoints. */
const dispatchersInTrouble: Profile = {
  ...everything,
  faults: {
    crashDispatcher: 4,
    crashDispatcherInCall: 3,
    zombieDispatcher: 5,
    startDispatcher: 2,
    loseCommitAnswers: 3,
    lateRequests: 2,
    pauseEndpoint: 3,
  },
  faultEveryMs: 900,
  behaviours: { ok: 1 },
  createdLate: 0.5,
  rateLimited: 0,
  heldUp: 1,
  commitEveryMs: [400, 1_500],
  feedLagMs: [400, 2_500],
  calm: 0,
};

/**
 * Endpoints are paused and resumed, begin in the past, and their dispatchers die and sleep with writes on their way to the
 * database, which is late, away, or does not answer.
 */
const cursorsInTrouble: Profile = {
  ...everything,
  faults: {
    crashDispatcher: 3,
    crashDispatcherInCall: 5,
    crashDispatcherInWrite: 8,
    zombieDispatcher: 6,
    startDispatcher: 2,
    stopDispatcher: 1,
    expelMember: 1,
    lateRequests: 3,
    loseSendAnswers: 1,
    loseCommitAnswers: 1,
    databaseAway: 1,
    loseDatabaseAnswers: 4,
    pauseEndpoint: 12,
  },
  faultEveryMs: 500,
  orderings: { none: 1, endpoint: 2, key: 1 },
  behaviours: { ok: 1 },
  events: [30, 60],
  createdLate: 0.2,
  backfilled: 1,
  rateLimited: 0,
  heldUp: 1,
  heldUpMs: [1_000, 7_000],
  crashesHeardOf: 0.8,
  commitEveryMs: [200, 1_500],
  feedLagMs: [0, 400],
  calm: 0,
};

export const ablations: Readonly<Record<Ablation, AblationPlan>> = {
  lease: { finds: ['order', 'duplicate'], profile: everything },
  fence: { finds: ['order', 'duplicate'], profile: stragglersInTrouble },
  'fence-level': { finds: ['loss'], profile: everything },
  eras: { finds: ['loss'], profile: everything },
  'read-beyond-pos': { finds: ['order'], profile: everything },
  'restore-retries': { finds: ['order'], profile: everything },
  'fold-attempts': { finds: ['order', 'duplicate'], profile: everything },
  stamps: { finds: ['order', 'duplicate'], profile: everything },
  'batch-first': { finds: ['loss'], profile: batchesInTrouble },
  // Pending: the commit goes back below what was deleted since, so that the next owner stops with an alarm for good.
  'late-commits': { finds: ['loss', 'order', 'duplicate', 'pending'], profile: commitsInTrouble },
  'set-and-floor': { finds: ['loss'], profile: dispatchersInTrouble },
  'cursor-epoch': { finds: ['loss', 'order', 'duplicate', 'pending', 'alarm'], profile: cursorsInTrouble },
  'epoch-per-partition': { finds: ['loss', 'order', 'duplicate', 'pending', 'alarm'], profile: cursorsInTrouble },
  'freeze-stands-still': { finds: ['loss', 'order', 'duplicate'], profile: cursorsInTrouble },
  'freeze-past-others': { finds: ['loss', 'order', 'duplicate'], profile: cursorsInTrouble },
  'catch-up-below-commit': { finds: ['loss', 'order', 'duplicate'], profile: cursorsInTrouble },
};
