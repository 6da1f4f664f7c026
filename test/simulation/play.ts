import { checkBatches } from './check-batches.js';
import { checkDuplicates, checkLease, duplicateCounts } from './check-duplicates.js';
import { checkLoss } from './check-loss.js';
import { checkOrder } from './check-order.js';
import { checkDue, checkRate } from './check-times.js';
import type { Codecs } from './codecs.js';
import { collect } from './collect.js';
import type { Evidence, Violation } from './evidence.js';
import { Faults } from './faults.js';
import { startDispatcher, startWorker } from './processes.js';
import { Random } from './random.js';
import { drawScenario, everything, type Profile } from './scenario.js';
import { World, type Ablation } from './world.js';

export interface PlayOptions {
  readonly profile?: Profile;
  readonly without?: ReadonlySet<Ablation>;
  readonly keepTrace?: boolean;
}

export interface Played {
  readonly seed: number;
  readonly violations: readonly Violation[];
  /** How often each fault was injected, and what came of it. */
  readonly counts: ReadonlyMap<string, number>;
  readonly hash: string;
  readonly trace: readonly string[];
}

/** So long may it take until all is done once everything has healed … */
const quietWithinMs = 900_000;
/** … and where the bound of outstanding is low, so that the rest comes round every five minutes. */
const floodedWithinMs = 7_200_000;
const lookEveryMs = 500;

/** Plays one seed to its end and judges it. The same seed gives the same run, to the last line of its trace. */
export async function play(seed: number, codecs: Codecs, options: PlayOptions = {}): Promise<Played> {
  const { profile = everything, without = new Set<Ablation>(), keepTrace = false } = options;
  const random = new Random(seed);
  const scenario = drawScenario(random.fork(), profile);
  const world = new World(scenario, random.fork(), codecs, without, keepTrace);
  const unhandled = (reason: unknown): void =>
    world.alarm(`unhandled rejection: ${reason instanceof Error ? (reason.stack ?? reason.message) : String(reason)}`);
  process.on('unhandledRejection', unhandled);
  try {
    await live(world, profile);
  } catch (error) {
    world.alarm(`the run broke: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  } finally {
    // Rejections are told of after the turn in which they happened.
    await new Promise<void>((resolve) => void setImmediate(resolve));
    process.off('unhandledRejection', unhandled);
  }
  const evidence = collect(world);
  const counts = new Map(world.counts);
  tally(counts, evidence, world);
  return { seed, violations: judge(evidence), counts, hash: world.trace.hash, trace: world.trace.lines };
}

/** Every check, the same for every profile. */
export function judge(evidence: Evidence): Violation[] {
  return [
    ...checkLoss(evidence),
    ...checkOrder(evidence),
    ...checkDuplicates(evidence),
    ...checkLease(evidence),
    ...checkRate(evidence),
    ...checkDue(evidence),
    ...checkBatches(evidence),
  ];
}

async function live(world: World, profile: Profile): Promise<void> {
  const { scenario, time, receivers, trace } = world;
  trace.note(`scenario ${JSON.stringify(scenario)}`);
  world.writeTenant();
  for (const plan of scenario.endpoints) {
    receivers.behaviours.set(plan.endpointId, plan.react);
    if (plan.createdAt === 0) world.writeEndpoint(plan);
    else time.schedule(plan.createdAt, () => world.createEndpoint(plan));
  }
  for (const plan of scenario.replays) time.schedule(plan.at, () => world.createReplay(plan));
  for (let left = scenario.workers; left > 0; left -= 1) startWorker(world);
  for (let left = scenario.dispatchers; left > 0; left -= 1) startDispatcher(world);
  scenario.events.forEach(({ at, key, partition }, nth) => {
    time.schedule(at, () => {
      world.writeEvent(`e${nth}`, partition, key);
      // An upstream service that had no answer sends it again.
      if (world.random.chance(0.05))
        time.schedule(world.random.int(1, 2_000), () => world.writeEvent(`e${nth}`, partition, key));
    });
  });
  const faults = new Faults(world, profile);
  if (!scenario.calm) faults.begin();
  await time.run(scenario.activeMs);
  faults.heal();
  const isFlooded = scenario.endpointMaxOutstanding < 100;
  const until = time.elapsed + (isFlooded ? floodedWithinMs : quietWithinMs);
  // What was sent again comes a little later.
  await time.run(time.elapsed + 2_500);
  while (time.elapsed < until && world.behind().length > 0) await time.run(time.elapsed + lookEveryMs);
  const behind = world.behind().map(({ text }) => text);
  trace.note(`quiet: ${behind.join(', ') || 'all is done'}`);
}

function tally(counts: Map<string, number>, evidence: Evidence, world: World): void {
  const add = (name: string, count: number): void => void counts.set(name, (counts.get(name) ?? 0) + count);
  add('events', evidence.events.length);
  add('deliveries', evidence.deliveries.length);
  add('posts', evidence.posts.length);
  add('copies', evidence.copies.length);
  add('spills', evidence.copies.filter(({ attempt }) => attempt === 0).length);
  add('attemptsStarted', evidence.attempts.filter(({ outcome }) => outcome === 'started').length);
  add('dropped', evidence.attempts.filter(({ outcome }) => outcome === 'dropped').length);
  add('failedPosts', evidence.posts.filter(({ failedAt }) => failedAt !== null).length);
  add('unansweredPosts', evidence.posts.filter(({ status }) => status === null).length);
  add('takeOvers', evidence.tenures.filter(({ group }) => group === 'worker').length);
  const inBatches = evidence.posts.filter(({ body }) => body.startsWith('['));
  add('batchPosts', inBatches.length);
  add(
    'batchEvents',
    inBatches.reduce((sum, { carries }) => sum + carries.length, 0),
  );
  add('batchRetries', inBatches.filter(({ failedAt }) => failedAt !== null).length);
  add('calm', evidence.calm ? 1 : 0);
  add('deadLetters', evidence.deadLetters.length);
  add('virtualSeconds', Math.round(world.time.elapsed / 1_000));
  const { duplicates, allowed } = duplicateCounts(evidence);
  add('duplicates', duplicates);
  add('duplicatesAllowed', allowed);
  for (const { behaviour } of world.scenario.endpoints) add(`endpoint ${behaviour}`, 1);
}
