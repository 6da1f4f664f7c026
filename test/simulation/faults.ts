import { decodeCommitMetadata, encodeCommitMetadata } from '#libs/core';
import { partitionName } from '#libs/kafka';
import { startDispatcher, startWorker } from './processes.js';
import { drawBatch, type EndpointPlan, type Fault, type Profile } from './scenario.js';
import type { Role } from './sim-process.js';
import { groupIds, sessionTimeoutMs, type Running, type World } from './world.js';

const most = { worker: 4, dispatcher: 3 } as const;

/** Does to a running world what its profile makes likely. Each fault returns whether there was something to do it to. */
export class Faults {
  readonly #world: World;
  readonly #profile: Profile;
  readonly #known: Readonly<Record<Fault, () => boolean>> = {
    crashWorker: () => this.#crash('worker'),
    crashWorkerInCall: () => this.#crashInCall('worker'),
    stopWorker: () => this.#stop('worker'),
    startWorker: () => this.#start('worker'),
    zombieWorker: () => this.#sleep('worker'),
    crashDispatcher: () => this.#crash('dispatcher'),
    crashDispatcherInCall: () => this.#crashInCall('dispatcher'),
    crashDispatcherInWrite: () => this.#crashInWrite(),
    stopDispatcher: () => this.#stop('dispatcher'),
    startDispatcher: () => this.#start('dispatcher'),
    zombieDispatcher: () => this.#sleep('dispatcher'),
    expelMember: () => this.#expel(),
    brokersAway: () => this.#brokersAway(),
    lateRequests: () =>
      this.#trouble((one) => {
        const { random, time } = this.#world;
        one.process.trouble.late = {
          ms: random.int(...this.#profile.lateMs),
          until: time.elapsed + random.int(20, 1_500),
        };
      }),
    loseSendAnswers: () => this.#trouble((one) => void (one.process.trouble.lostSends += this.#world.random.int(1, 3))),
    loseCommitAnswers: () =>
      this.#trouble((one) => void (one.process.trouble.lostCommits += this.#world.random.int(1, 3))),
    databaseAway: () => this.#databaseAway(),
    loseDatabaseAnswers: () =>
      this.#trouble((one) => void (one.process.trouble.lostQueries += this.#world.random.int(1, 4)), 'dispatcher'),
    changeOrdering: () =>
      this.#configure((plan) =>
        this.#world.writeEndpoint(plan, { ordering: this.#world.random.pick(['none', 'key', 'endpoint']) }),
      ),
    pauseEndpoint: () => this.#pause(),
    deleteEndpoint: () => this.#configure(({ endpointId }) => this.#world.deleteEndpoint(endpointId)),
    steerReplay: () => this.#steerReplay(),
    restartGenerations: () => this.#restartGenerations(),
    changeBatch: () =>
      this.#configure((plan) => {
        const { random } = this.#world;
        this.#world.writeEndpoint(plan, { batch: random.chance(0.5) ? drawBatch(random) : null });
      }),
  };

  constructor(world: World, profile: Profile) {
    this.#world = world;
    this.#profile = profile;
  }

  /** Goes on until the world heals. */
  begin(): void {
    const world = this.#world;
    const next = (): void => {
      const { faultEveryMs } = world.scenario;
      // Exponential waits: faults come close together now and then, as the ones that matter do.
      const waitMs = Math.min(5 * faultEveryMs, -Math.log(1 - world.random.next()) * faultEveryMs);
      world.time.schedule(waitMs, () => {
        if (world.time.elapsed >= world.scenario.activeMs) return;
        const [from, to] = this.#profile.lull;
        if (world.time.elapsed >= from && world.time.elapsed < to) {
          world.time.schedule(to - world.time.elapsed, next);
          return;
        }
        const fault = world.random.weighted(this.#profile.faults);
        if (fault !== undefined && this.#known[fault]()) world.count(fault);
        next();
      });
    };
    next();
  }

  /** Ends what was broken; from now on nothing happens but the work that is left. */
  heal(): void {
    const world = this.#world;
    world.trace.note('all heals');
    world.broker.setAvailable(true);
    world.database.isAvailable = true;
    for (const { process } of world.running) {
      Object.assign(process.trouble, { late: null, lostSends: 0, lostCommits: 0, lostQueries: 0, diesInWrite: null });
      process.crashInCall(null);
      process.wake();
    }
    for (const plan of world.scenario.endpoints) {
      if (world.configs.get(plan.endpointId)?.state === 'paused' && !world.deletedAt.has(plan.endpointId))
        world.writeEndpoint(plan, { state: 'active' });
    }
    for (const [replayId, state] of world.replays) if (state === 'paused') world.writeReplay(replayId, 'running');
    if (this.#awake('worker').length === 0) startWorker(world);
    if (this.#awake('dispatcher').length === 0) startDispatcher(world);
  }

  #all(role: Role): Running[] {
    return [...this.#world.running].filter((one) => one.process.role === role);
  }

  #awake(role: Role): Running[] {
    return this.#all(role).filter((one) => !one.stopping && !one.process.isAsleep);
  }

  /** When nobody is left, someone starts another, sooner or later. */
  #replace(role: Role): void {
    const { random, time, scenario } = this.#world;
    if (!random.chance(0.8) && this.#awake(role).length > 0) return;
    time.schedule(random.int(0, 4_000), () => {
      if (time.elapsed < scenario.activeMs) this.#start(role);
    });
  }

  #start(role: Role): boolean {
    if (this.#all(role).length >= most[role]) return false;
    if (role === 'worker') startWorker(this.#world);
    else startDispatcher(this.#world);
    return true;
  }

  #crash(role: Role): boolean {
    const { random, groups } = this.#world;
    const victim = random.pick(this.#all(role));
    if (victim === undefined) return false;
    const id = victim.membership?.memberId ?? '';
    this.#holdUp(victim);
    victim.process.crash();
    // The coordinator sees a broken connection, or waits for the session to run out.
    if (id !== '' && random.chance(this.#profile.crashesHeardOf)) groups[role].expel(id, 0);
    this.#replace(role);
    return true;
  }

  #crashInCall(role: Role): boolean {
    const { random } = this.#world;
    const victim = random.pick(this.#awake(role));
    if (victim === undefined) return false;
    victim.process.crashInCall(random.int(0, 25), this.#lateness());
    this.#replace(role);
    return true;
  }

  /** It dies when it next stores cursors, and what it stores arrives when another may have taken over. */
  #crashInWrite(): boolean {
    const { random } = this.#world;
    const victim = random.pick(this.#awake('dispatcher'));
    if (victim === undefined || victim.process.trouble.diesInWrite !== null) return false;
    victim.process.trouble.diesInWrite = this.#lateness();
    return true;
  }

  #stop(role: Role): boolean {
    const victim = this.#world.random.pick(this.#awake(role));
    if (victim === undefined) return false;
    victim.stopping = true;
    this.#world.trace.note(`${victim.process.name} stops`);
    victim.stop().then(
      () => victim.process.crash(),
      (error: unknown) => this.#world.alarm(`${victim.process.name} did not stop: ${String(error)}`),
    );
    this.#replace(role);
    return true;
  }

  /** It sleeps, often through its lease and its session, and wakes. */
  #sleep(role: Role): boolean {
    const { random, time, trace } = this.#world;
    const victim = random.pick(this.#awake(role));
    if (victim === undefined) return false;
    const ms = random.pick([random.int(200, 3_000), random.int(3_500, 6_500), random.int(6_000, 15_000)]);
    trace.note(`${victim.process.name} sleeps for ${ms}`);
    victim.process.sleep();
    this.#holdUp(victim);
    const id = victim.membership?.memberId ?? '';
    if (id !== '' && ms > (sessionTimeoutMs * 2) / 3 && random.chance(0.2)) this.#expelLater(victim, id);
    time.schedule(ms, () => {
      if (victim.process.isAsleep) trace.note(`${victim.process.name} wakes`);
      victim.process.wake();
    });
    if (this.#awake(role).length === 0) this.#replace(role);
    return true;
  }

  /** What it has handed over arrives late, often after its partitions have gone to another. */
  #holdUp({ process }: Running): void {
    const ms = this.#lateness();
    const messages = ms > 0 ? process.holdUp(ms) : 0;
    if (messages > 0) this.#world.trace.note(`${messages} messages of ${process.name} are held up for ${ms}`);
  }

  #lateness(): number {
    const { random } = this.#world;
    if (!random.chance(this.#profile.heldUp)) return 0;
    return random.pick([random.int(100, 2_000), random.int(...this.#profile.heldUpMs)]);
  }

  /** The coordinator gives a member up that lives; no sooner than its lease could have run out. */
  #expel(): boolean {
    const { random, running, trace } = this.#world;
    const victim = random.pick([...running].filter(({ membership }) => (membership?.memberId ?? '') !== ''));
    if (victim === undefined) return false;
    const { membership, process } = victim;
    if (membership === null) return false;
    const id = membership.memberId;
    trace.note(`${process.name} is cut off`);
    membership.cutOff();
    this.#expelLater(victim, id);
    return true;
  }

  /** As soon as its lease must be over, and no sooner: no session is shorter than the lease that it gives. */
  #expelLater({ process }: Running, id: string): void {
    const { time, groups } = this.#world;
    const leaseMs = (sessionTimeoutMs * 2) / 3;
    time.schedule(leaseMs + 1, () => groups[process.role].expel(id, leaseMs));
  }

  #brokersAway(): boolean {
    const { random, broker, time, trace } = this.#world;
    if (!broker.isAvailable) return false;
    const ms = random.int(100, 5_000);
    trace.note(`the brokers are away for ${ms}`);
    broker.setAvailable(false);
    time.schedule(ms, () => broker.setAvailable(true));
    return true;
  }

  #databaseAway(): boolean {
    const { random, database, time, trace } = this.#world;
    if (!database.isAvailable) return false;
    const ms = random.int(100, 5_000);
    trace.note(`the database is away for ${ms}`);
    database.isAvailable = false;
    time.schedule(ms, () => (database.isAvailable = true));
    return true;
  }

  #trouble(make: (one: Running) => void, role?: Role): boolean {
    const { random, running, trace } = this.#world;
    const victim = random.pick(role === undefined ? [...running] : this.#all(role));
    if (victim === undefined) return false;
    make(victim);
    trace.note(`${victim.process.name} has trouble: ${JSON.stringify(victim.process.trouble)}`);
    return true;
  }

  #configure(change: (plan: EndpointPlan) => void): boolean {
    const { scenario, random, deletedAt, trace, configs } = this.#world;
    const there = scenario.endpoints.filter(({ endpointId }) => configs.has(endpointId) && !deletedAt.has(endpointId));
    const plan = random.pick(there);
    if (plan === undefined) return false;
    change(plan);
    trace.note(`${plan.endpointId} is configured anew`);
    return true;
  }

  #pause(): boolean {
    const { random, time, deletedAt } = this.#world;
    return this.#configure((plan) => {
      this.#world.writeEndpoint(plan, { state: 'paused' });
      time.schedule(random.int(500, 5_000), () => {
        if (!deletedAt.has(plan.endpointId)) this.#world.writeEndpoint(plan, { state: 'active' });
      });
    });
  }

  /** A replay is paused for a while, or cancelled. */
  #steerReplay(): boolean {
    const world = this.#world;
    const open = [...world.replays].filter(([, state]) => state === 'running').map(([replayId]) => replayId);
    const replayId = world.random.pick(open);
    if (replayId === undefined) return false;
    if (world.random.chance(0.3)) {
      world.writeReplay(replayId, 'cancelled');
      return true;
    }
    world.writeReplay(replayId, 'paused');
    world.time.schedule(world.random.int(500, 5_000), () => {
      if (world.replays.get(replayId) === 'paused') world.writeReplay(replayId, 'running');
    });
    return true;
  }

  /** The workers' group is forgotten with its generations; the tool carries its positions over and raises the era. */
  #restartGenerations(): boolean {
    const { groups, broker, without, trace, time, scenario } = this.#world;
    for (const one of this.#all('worker')) {
      // Nobody forgets a group while members may act; one that sleeps beyond its lease may be left over. One that fell
      // asleep while it joined has no lease yet, and would have one by the answer that waits for it.
      const lease = one.membership?.trueLease ?? -Infinity;
      if (one.process.isAsleep && Number.isFinite(lease) && lease < time.elapsed) continue;
      this.#holdUp(one);
      one.process.crash();
    }
    groups.worker.forget();
    const commits = broker.log.commitsOf(groupIds.worker);
    for (const at of broker.log.partitionsOf([this.#world.topics.deliveries])) {
      const commit = commits.get(partitionName(at));
      if (commit === undefined || without.has('eras')) continue;
      const metadata = decodeCommitMetadata(commit.metadata);
      commits.set(partitionName(at), {
        ...commit,
        metadata: encodeCommitMetadata({ ...metadata, era: metadata.era + 1 }),
      });
    }
    trace.note('the workers’ group starts again');
    for (let left = scenario.workers; left > 0; left -= 1) {
      time.schedule(this.#world.random.int(0, 2_000), () => void this.#start('worker'));
    }
    return true;
  }
}
