import type { AppendedEvent } from '../producer/produce.js';
import type { ReceiptRecord } from '../receiver/record.js';
import { ApiClient, type LoggedDelivery } from './api-client.js';
import { Child } from './child.js';
import { deleteEarlier, register, retryDelaysMs, type DemoEndpoint } from './endpoints.js';
import { expectedOf, findFaults } from './oracle.js';
import { startPlatform, untilReady, type Platform, type PlatformAddresses } from './platform.js';
import { Progress, type Screen } from './progress.js';
import { settled, untilSettled, type Sums } from './settle.js';
import { endpointTable } from './table.js';

export interface DemoOptions {
  readonly events: number;
  readonly rate: number;
  readonly seed: number;
}

const stallMs = 60_000;
const mostFaultsShown = 20;

/** One run of the demo: its processes, and what they have said. */
export class Demo {
  #platform: Platform | undefined;
  #addresses: PlatformAddresses | undefined;
  #receiver: Child | undefined;
  #producer: Child | undefined;
  #stopping = false;
  #tenantId = '';
  readonly #runId = Date.now().toString(36);
  readonly #appended: AppendedEvent[] = [];

  constructor(
    private readonly options: DemoOptions,
    private readonly screen: Screen,
  ) {}

  /** Everything from the start to the closing table. @returns whether all that was expected has happened */
  async run(): Promise<boolean> {
    const { seed, events, rate } = this.options;
    this.#say('Starting the platform …');
    this.#platform = await startPlatform((line) => this.#say(line));
    this.#addresses = await this.#platform.ready;
    const { apiUrl, operatorKey } = this.#addresses;
    await this.#orChildEnds(
      untilReady(apiUrl, (line) => this.#say(line)),
      [],
    );
    const api = new ApiClient(apiUrl, operatorKey);
    this.#say(`API at ${apiUrl}; the platform's log: ${this.#platform.logFile}`);

    const earlier = await deleteEarlier(api);
    if (earlier > 0)
      this.#say(`Deleted the endpoints of ${earlier} earlier run${earlier === 1 ? '' : 's'} of the demo.`);
    this.#receiver = this.#start('receiver', 'receiver/main.js', ['--port', '0', '--seed', String(seed)]);
    const { url: receiverUrl } = await this.#receiver.message<{ url: string }>('ready');
    const { tenantId, endpoints } = await register(api, receiverUrl, this.#runId);
    this.#tenantId = tenantId;
    const taken = this.#receiver.message('secrets-taken');
    this.#receiver.send({
      type: 'secrets',
      secrets: Object.fromEntries(endpoints.map(({ path, secret }) => [path, secret])),
    });
    await taken;
    const waits = retryDelaysMs.map((ms) => `${ms / 1_000} s`).join(', ');
    this.#say(`Tenant ${tenantId} with ${endpoints.length} endpoints at ${receiverUrl}.`);
    this.#say(`Retries after ${waits} (a short schedule, for the demo; the default goes on for three days).`);
    this.#say(`${events} events, ${rate === 0 ? 'as fast as they are taken' : `${rate} a second`} …`);

    const finished = await this.#watch(api, endpoints);
    return this.#conclude(api, endpoints, receiverUrl, finished);
  }

  /** Keeps a trickle of events going until something ends. Never resolves. */
  stay(): Promise<never> {
    const { apiUrl = '', kafkaBrokers = '', schemaRegistryUrl = '' } = this.#addresses ?? {};
    const file = this.#platform?.addressesFile ?? '';
    const key = `$(node -p "require('${file}').operatorKey")`;
    const trickle = this.#produce(`${this.#runId}b`, 0, 2);
    this.#say(
      [
        '',
        'Two events a second go on; Ctrl-C stops everything.',
        `  API              ${apiUrl}`,
        `  Kafka            ${kafkaBrokers}`,
        `  schema registry  ${schemaRegistryUrl}`,
        `  operator key     in ${file}`,
        'Look around:',
        `  KEY=${key}`,
        `  curl -H "Authorization: Bearer $KEY" '${apiUrl}/v1/stats/endpoints?tenantId=${this.#tenantId}'`,
        `  curl -H "Authorization: Bearer $KEY" '${apiUrl}/v1/deliveries?tenantId=${this.#tenantId}&status=dead-lettered&limit=1'`,
        `  curl ${apiUrl}/metrics`,
      ].join('\n'),
    );
    return this.#orChildEnds(new Promise<never>(() => undefined), [trickle]);
  }

  /** The source of new work first; the receiver last, so that what is in flight can still be answered. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#producer?.stop(500);
    await this.#platform?.child.stop(4_000);
    await this.#receiver?.stop(300);
  }

  kill(): void {
    for (const child of [this.#producer, this.#platform?.child, this.#receiver]) child?.kill();
  }

  /** Produces the events and waits until their deliveries have settled. */
  async #watch(api: ApiClient, endpoints: readonly DemoEndpoint[]): Promise<boolean> {
    const start = performance.now();
    const progress = new Progress(this.screen, () => performance.now());
    let complete = false;
    let sums: Sums = { delivered: 0, retried: 0, deadLettered: 0, dropped: 0 };
    const expected = (): number =>
      endpoints.reduce((total, endpoint) => total + expectedOf(endpoint, this.#appended), 0);
    const line = (): string => {
      const { delivered, retried, deadLettered } = sums;
      const seconds = ((performance.now() - start) / 1_000).toFixed(1).padStart(5);
      const counts = `delivered ${delivered}, retried ${retried}, dead-lettered ${deadLettered}`;
      return `${seconds} s  events ${this.#appended.length}/${this.options.events}  settled ${settled(sums)}/${expected()}: ${counts}`;
    };
    const producer = this.#produce(this.#runId, this.options.events, this.options.rate, (message) => {
      const { type, events = [] } = message as { type?: string; events?: AppendedEvent[] };
      if (type === 'appended') this.#appended.push(...events);
    });
    const produced = producer.ended.then((code) => {
      if (code !== 0) throw new Error(`the producer has ended early (exit ${String(code)})`);
      complete = true;
    });
    const finished = untilSettled({
      stats: () => api.endpointStats(this.#tenantId),
      expected: () => (complete ? expected() : null),
      onSums: (now) => {
        sums = now;
        if (!this.#stopping) progress.show(line());
      },
      onTrouble: (reason) => progress.show(`the API does not answer: ${reason}`),
      pollMs: this.screen.isTTY === true ? 250 : 500,
      stallMs,
    });
    const [result] = await this.#orChildEnds(Promise.all([finished, produced]), []);
    progress.end(line());
    return result;
  }

  async #conclude(
    api: ApiClient,
    endpoints: readonly DemoEndpoint[],
    receiverUrl: string,
    finished: boolean,
  ): Promise<boolean> {
    const deliveries = new Map<string, LoggedDelivery[]>();
    for (const { id } of endpoints) {
      const logged: LoggedDelivery[] = [];
      for await (const delivery of api.all<LoggedDelivery>(`/v1/deliveries?endpointId=${id}`)) logged.push(delivery);
      deliveries.set(id, logged);
    }
    const record = (await (await fetch(`${receiverUrl}/record`)).json()) as ReceiptRecord;
    this.#say(`\nThe delivery log:\n\n${endpointTable(endpoints, await api.endpointStats(this.#tenantId))}\n`);
    const faults = findFaults({ endpoints, appended: this.#appended, deliveries, record });
    if (!finished) faults.unshift(`nothing has moved for ${stallMs / 1_000} s`);
    if (this.#appended.length < this.options.events)
      faults.unshift(`only ${this.#appended.length} of ${this.options.events} events were appended`);
    if (faults.length === 0) {
      this.#say(
        'Every event reached its end state at each endpoint that asked for it, and arrived with a valid signature.',
      );
      return true;
    }
    this.#say(`${faults.length} thing${faults.length === 1 ? ' is' : 's are'} missing or wrong:`);
    for (const fault of faults.slice(0, mostFaultsShown)) this.#say(`  ${fault}`);
    if (faults.length > mostFaultsShown) this.#say(`  … and ${faults.length - mostFaultsShown} more`);
    return false;
  }

  #produce(runId: string, events: number, rate: number, onMessage?: (message: unknown) => void): Child {
    const { kafkaBrokers = '', schemaRegistryUrl = '' } = this.#addresses ?? {};
    const args = Object.entries({
      '--tenant': this.#tenantId,
      '--run': runId,
      '--events': events,
      '--rate': rate,
      '--seed': this.options.seed,
      '--brokers': kafkaBrokers,
      '--registry': schemaRegistryUrl,
      '--topic': this.#platform?.eventsTopic ?? '',
    }).flatMap(([name, value]) => [name, String(value)]);
    this.#producer = this.#start('producer', 'producer/main.js', args, onMessage);
    return this.#producer;
  }

  #start(title: string, script: string, args: readonly string[], onMessage?: (message: unknown) => void): Child {
    return new Child({
      title,
      script,
      args,
      onLine: (line) => this.#say(`${title}: ${line}`),
      ...(onMessage === undefined ? {} : { onMessage }),
    });
  }

  /** Platform and receiver must live as long as anything waits for them. */
  #orChildEnds<T>(work: Promise<T>, others: readonly (Child | undefined)[]): Promise<T> {
    const children = [this.#platform?.child, this.#receiver, ...others].filter((child) => child !== undefined);
    return Promise.race([work, ...children.map((child) => child.mustLive())]);
  }

  #say(line: string): void {
    if (!this.#stopping) this.screen.write(`${line}\n`);
  }
}
