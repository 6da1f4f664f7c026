import { masterKeys } from './codecs.js';
import { simStores } from './sim-stores.js';
import { simKafka } from './sim-kafka.js';
import { SimProcess, type Role } from './sim-process.js';
import {
  noFaults,
  plainContents,
  DeliverConsumer,
  Dispatcher,
  type ConsumerOptions,
  type ConsumerPorts,
  type Rule,
} from './subjects.js';
import { groupIds, type Running, type World } from './world.js';

const workerRules = new Set<Rule>([
  'fence',
  'fence-level',
  'eras',
  'read-beyond-pos',
  'restore-retries',
  'fold-attempts',
  'stamps',
  'set-and-floor',
  'batch-first',
]);

/** A mark of every counter: nobody looks at them here. */
const uncounted = new Proxy({}, { get: () => () => undefined });

export function startWorker(world: World): Running {
  const { scenario, codecs, topics } = world;
  const running = newProcess(world, 'worker');
  const { process } = running;
  const without = new Set([...world.without].filter((rule): rule is Rule => workerRules.has(rule as Rule)));
  const options: ConsumerOptions & { readonly without: ReadonlySet<Rule> } = {
    topics,
    groupId: groupIds.worker,
    dispatcherGroupId: groupIds.dispatcher,
    workerId: process.name,
    masterKeys,
    maxInFlight: scenario.maxInFlight,
    laneRecords: scenario.laneRecords,
    laneBytes: 1_000_000,
    commitEveryMs: scenario.commitEveryMs,
    trimEveryMs: scenario.trimEveryMs,
    idleSpacesEveryMs: scenario.idleSpacesEveryMs,
    reportEveryMs: 60_000,
    endpointMaxOutstanding: scenario.endpointMaxOutstanding,
    secureAfterMs: 1_500,
    drainMs: 5_000,
    without,
  };
  const consumer = new DeliverConsumer(
    simKafka(world, process, (membership) => (running.membership = membership)),
    options,
    {
      http: { post: (post) => world.receivers.post(process, post) },
      codecs: codecs.schema.platform,
      clock: {
        now: () => world.time.now(),
        monotonic: () => world.time.elapsed,
        schedule: (ms, task) => process.schedule(ms, task),
        defer: (task) => void process.schedule(0, task),
      },
      random: () => process.random.next(),
      metrics: uncounted as ConsumerPorts['metrics'],
      log: logOf(world, process),
      fatal: (error) => world.alarm(`${process.name} fatal: ${error.stack ?? error.message}`),
    },
  );
  begin(world, process, consumer.start());
  running.stop = () => consumer.stop();
  return running;
}

export function startDispatcher(world: World): Running {
  const { codecs, topics, scenario } = world;
  const running = newProcess(world, 'dispatcher');
  const { process } = running;
  const another = (): void => {
    world.time.schedule(world.random.int(0, 2_000), () => void startDispatcher(world));
  };
  const superseded = (): void => {
    world.count('superseded');
    process.crash();
    another();
  };
  const dieInWrite = (lateMs: number): void => {
    const id = running.membership?.memberId ?? '';
    world.count('diedInWrite');
    process.crashLate(lateMs);
    // The group hears of it at once: what was handed over may arrive when others have taken over.
    if (id !== '') world.groups.dispatcher.expel(id, 0);
    another();
  };
  const dispatcher = new Dispatcher(
    simKafka(world, process, (membership) => (running.membership = membership)),
    {
      codecs: { events: codecs.schema.events, config: codecs.schema.platform, platform: codecs.schema.platform },
      stores: { ...simStores(world, process, dieInWrite), faults: noFaults },
      content: plainContents,
    },
    {
      topics,
      groupId: groupIds.dispatcher,
      deliveryPartitions: scenario.deliveryPartitions,
      maxEventBytes: 262_144,
      repeatWindow: 1_000,
      tenantGraceMs: 500,
      commitIntervalMs: scenario.commitEveryMs,
      circuitFreezeMs: scenario.circuitFreezeMs,
      without: world.without as ReadonlySet<never>,
    },
    {
      ...(uncounted as ConstructorParameters<typeof Dispatcher>[3]),
      deliveriesDispatched: () => undefined,
      eventRejected: (reason) => world.alarm(`${process.name} rejected an event: ${reason}`),
      repeats: () => world.count('repeatedEvent'),
      lag: () => undefined,
      partitionStopped: (topic, partition) => world.alarm(`${process.name} stopped ${topic}-${partition}`),
      partitionLost: () => undefined,
      endpointsFrozen: (count) => world.count('frozen', count),
      endpointsJoined: (count) => world.count('joined', count),
      deliveriesCaughtUp: (count) => world.count('caughtUp', count),
      eventsLost: () => world.alarm(`${process.name} lost events`),
    },
    {
      now: () => world.time.now(),
      monotonic: () => world.time.elapsed,
      schedule: (ms, task) => process.schedule(ms, task),
      die: (error) =>
        error.message.includes('has taken it over')
          ? superseded()
          : world.alarm(`${process.name} fatal: ${error.message}`),
      log: logOf(world, process),
    },
  );
  begin(world, process, dispatcher.start());
  running.stop = () => dispatcher.stop();
  return running;
}

function newProcess(world: World, role: Role): Running {
  world.started += 1;
  const process = new SimProcess(
    `${role[0]}${world.started}`,
    role,
    world.time,
    world.random.fork(),
    world.scenario.latencyMs,
    () => {
      running.membership?.died();
      world.running.delete(running);
      world.trace.note(`${process.name} is dead`);
    },
  );
  const running: Running = { process, membership: null, stop: () => Promise.resolve(), stopping: false };
  world.running.add(running);
  world.trace.note(`${process.name} starts`);
  return running;
}

function begin(world: World, process: SimProcess, started: Promise<void>): void {
  started.catch((error: unknown) => world.alarm(`${process.name} did not start: ${String(error)}`));
}

function logOf(world: World, process: SimProcess): ConsumerPorts['log'] {
  const line = (level: string) => (_: object, message: string) =>
    world.trace.note(`${process.name} ${level}: ${message}`);
  return {
    info: line('info'),
    warn: line('warn'),
    error: (details, message) => world.alarm(`${process.name} ${message} ${inWords(details)}`),
  };
}

function inWords(details: object): string {
  return JSON.stringify(details, (_, value: unknown) =>
    value instanceof Error ? (value.stack ?? value.message) : value,
  );
}
