import type { VersionSource } from '#libs/core';
import type { KafkaLog } from '#libs/kafka';
import type { PlatformCodecs } from '#libs/schema-codec';
import { CommitLoop } from './commit-loop.js';
import { DispatchConsumer, type ConsumerCounts } from './dispatch.consumer.js';
import { Dispatch } from './dispatch.js';
import { EndpointDirectory, type ConfigCodec, type ContentParts } from './endpoint-directory.js';
import type { CursorStore } from './cursors/cursor-store.js';
import { EndpointLoads } from './cursors/endpoint-loads.js';
import type { CursorRule } from './cursors/freezing.js';
import { FreezeWishes } from './cursors/freeze-wishes.js';
import { EndpointFaults, type FaultKind, type FaultStore } from './forms/endpoint-faults.js';
import type { FormPorts } from './forms/event-forms.js';
import { FreezingBudget } from './forms/freezing-budget.js';
import { Transformations, type TransformationRunner } from './forms/transformations.js';
import { LeaseGate } from './lease-gate.js';
import { EventReader, type EventData } from './read-events.js';
import type { SourceLimits } from './source-partition.js';
import { pause, type Surroundings } from './surroundings.js';
import { TenantGrace } from './tenant-grace.js';
import { Turnstile } from './turnstile.js';
import type { ReplayStore } from './replays/replay-store.js';

export interface DispatcherOptions {
  readonly topics: {
    readonly events: string;
    readonly eventsRejected: string;
    readonly deliveries: string;
    readonly deadLetters: string;
    readonly endpoints: string;
    readonly endpointStatus: string;
  };
  readonly groupId: string;
  readonly deliveryPartitions: number;
  readonly maxEventBytes: number;
  readonly repeatWindow: number;
  /** Largest record that the brokers take. Default 1,000,000. */
  readonly maxRecordBytes?: number;
  /** W of DESIGN §3. Default 2,000; another value only after a drain. */
  readonly windowRecords?: number;
  /** Default 200. */
  readonly commitIntervalMs?: number;
  /** How long a young event waits for a tenant that is not known yet. Default 2,000. */
  readonly tenantGraceMs?: number;
  /** Deliveries that a worker holds in memory for one endpoint. Default 1,000. */
  readonly laneRecords?: number;
  /** How long a circuit is open before its endpoint is frozen. Default 120,000. */
  readonly circuitFreezeMs?: number;
  /** Rules of DESIGN §5 that a simulation takes away. */
  readonly without?: ReadonlySet<CursorRule>;
}

interface DispatcherCodecs {
  readonly events: EventData & VersionSource;
  readonly config: ConfigCodec;
  readonly platform: Pick<PlatformCodecs, 'delivery' | 'deadLetter' | 'endOfSpace' | 'endpointStatus' | 'prepare'>;
}

interface DispatcherStores {
  readonly cursors: CursorStore;
  readonly replays: ReplayStore;
  readonly faults: FaultStore;
}

/** What customers wrote, brought to life. */
export interface DispatcherContent {
  readonly filterOf: ContentParts['filterOf'];
  readonly runner: TransformationRunner;
}

export interface DispatcherParts {
  readonly codecs: DispatcherCodecs;
  readonly stores: DispatcherStores;
  readonly content: DispatcherContent;
}

export interface DispatcherCounts extends ConsumerCounts {
  endpointFault(kind: FaultKind): void;
  transformationRan(outcome: 'done' | 'failed' | 'refused', cpuMs: number): void;
}

const queue = { batchRecords: 500, batchBytes: 1_048_576, queueRecords: 2_000, queueBytes: 4_194_304 };
const oneSend = { partitionBytes: 800_000, totalBytes: 4_000_000, records: 5_000 };

/** A whole dispatcher over a log: composes the stages, starts and stops them. */
export class Dispatcher {
  readonly #directory: EndpointDirectory;
  readonly #loads: EndpointLoads;
  readonly #consumer: DispatchConsumer;
  readonly #closeAll: () => Promise<void>;

  constructor(
    log: KafkaLog,
    { codecs, stores, content }: DispatcherParts,
    options: DispatcherOptions,
    counts: DispatcherCounts,
    around: Surroundings,
  ) {
    const { topics, groupId, deliveryPartitions, windowRecords = 2_000, maxRecordBytes = 1_000_000 } = options;
    const [feed, reader, sender] = [log.feed(), log.reader(), log.sender({ name: 'dispatcher' })];
    // What is sent again must not stand before what is sent live.
    const bulkSender = log.sender({ name: 'dispatcher-bulk' });
    const wishes = new FreezeWishes();
    const faults = new EndpointFaults({ store: stores.faults, counted: (kind) => counts.endpointFault(kind), around });
    const budget = new FreezingBudget(wishes, around);
    const transformations = new Transformations({
      runner: content.runner,
      budget,
      ran: (outcome, cpuMs) => counts.transformationRan(outcome, cpuMs),
    });
    const contents: ContentParts = {
      filterOf: (text) => content.filterOf(text),
      transformation: (id, config) => transformations.set(id, config),
    };
    const directory = new EndpointDirectory(
      { topic: topics.endpoints, deliveryPartitions },
      { feed, reader },
      codecs.config,
      contents,
      around,
    );
    const forms: FormPorts = {
      data: codecs.events,
      transformations,
      faults,
      charge: (endpoint, cpuMs) => budget.charge(endpoint, cpuMs),
      breathe: () => pause(around, 0),
    };
    const consumer: DispatchConsumer = new DispatchConsumer(() => ports);
    const membership = log.membership({ groupId, topics: [topics.events], listener: consumer });
    const gate = new LeaseGate(membership, around);
    const commits = new CommitLoop(membership, gate, around, options.commitIntervalMs ?? 200);
    const events = new EventReader(codecs.events, options.maxEventBytes);
    const limits: SourceLimits = { windowRecords, ...queue };
    const targets = { deliveries: topics.deliveries, rejected: topics.eventsRejected, send: oneSend, maxRecordBytes };
    const tenants = new TenantGrace(directory, around, options.tenantGraceMs ?? 2_000);
    const dispatch = new Dispatch(directory, forms, codecs.platform.delivery, targets, () => around.now());
    const { repeatWindow } = options;
    directory.listen({
      endpointChanged: (endpointId) => {
        const { state = 'active', content } = directory.get(endpointId) ?? {};
        wishes.set(endpointId, 'state', state === 'active' ? null : state);
        const fault = content?.fault ?? null;
        // Its events wait in the log until its configuration can be used.
        wishes.set(endpointId, 'fault', fault === null ? null : 'disabled');
        if (fault !== null) around.log.error({ endpointId, fault }, 'the configuration of an endpoint cannot be used');
      },
      replayChanged: () => undefined,
    });
    const loads = new EndpointLoads(
      {
        topic: topics.endpointStatus,
        partitions: deliveryPartitions,
        laneRecords: options.laneRecords ?? 1_000,
        circuitFreezeMs: options.circuitFreezeMs ?? 120_000,
      },
      { feed, reader },
      codecs.platform,
      wishes,
      around,
    );
    const ports = {
      membership,
      gate,
      commits,
      directory,
      takeOver: { reader, identify: (record) => events.identify(record), repeatWindow, around },
      source: { feed, sender, gate, commits, reader: events, tenants, dispatch, counts, limits, around },
      cursors: {
        store: stores.cursors,
        directory,
        wishes,
        loads,
        events,
        forms,
        reader,
        repeatWindow,
        append: { sender: bulkSender, gate, around },
        codecs: codecs.platform,
        deliveries: { topic: topics.deliveries, partitions: deliveryPartitions },
        send: oneSend,
        maxRecordBytes,
        counts,
        turnstile: new Turnstile(around),
        around,
        without: options.without ?? new Set(),
      },
      replays: { store: stores.replays, codecs: codecs.platform, topics },
      counts,
      around,
    } satisfies ReturnType<ConstructorParameters<typeof DispatchConsumer>[0]>;
    this.#directory = directory;
    this.#loads = loads;
    this.#consumer = consumer;
    this.#closeAll = async () => {
      directory.close();
      loads.close();
      budget.close();
      await faults.close();
      await Promise.all([feed.close(), reader.close(), sender.close(), bulkSender.close()]);
    };
  }

  /** Resolves when the endpoints are read and the group has been joined. */
  async start(): Promise<void> {
    // Advice: nothing waits for it.
    void this.#loads.start();
    await this.#directory.start();
    await this.#consumer.start();
  }

  /** Throws with the reason while it is not ready, or a partition has stopped. */
  check(): void {
    this.#consumer.check();
  }

  async stop(): Promise<void> {
    this.#directory.close();
    await this.#consumer.stop();
    await this.#closeAll();
  }
}
