/** Addresses of the three services that Posthorn stands on. */
export interface RuntimeAddresses {
  /** `host:port`, comma-separated when there are several brokers. */
  readonly kafkaBrokers: string;
  readonly schemaRegistryUrl: string;
  readonly databaseUrl: string;
}

export interface RuntimeOptions {
  /** Where data lasts. Created when missing; locked against a second runtime. */
  readonly dataDir: string;
  /** Services that the user has named; only the missing ones are started. */
  readonly own?: Partial<RuntimeAddresses>;
  readonly onProgress?: (line: string) => void;
  /** For tests: the database does not wait for the disk. What a power cut would spoil, a killed process does not. */
  readonly fast?: boolean;
}

export interface Runtime extends RuntimeAddresses {
  /** Stops what this runtime has started, in at most 5 s; leaves no process. Idempotent. */
  stop(): Promise<void>;
}

/** A Kafka cluster for tests that kill brokers. */
export interface TestCluster {
  readonly brokers: readonly string[];
  /** Addresses of the first broker's further listeners, by name. */
  readonly listeners: Readonly<Record<string, string>>;
  /** SIGKILL. */
  kill(index: number): Promise<void>;
  /** SIGSTOP / SIGCONT. */
  freeze(index: number): void;
  thaw(index: number): void;
  /** Starts a killed broker again, on the same port with the same data, and waits until it answers. */
  restart(index: number): Promise<void>;
  stop(): Promise<void>;
}

export interface TestClusterOptions {
  readonly brokers: number;
  /** Broker settings over those of the embedded runtime. */
  readonly config?: Readonly<Record<string, string>>;
  /** Further listeners, with their security protocols (`SASL_SSL`). Their settings begin with `listener.name.<name in lower case>.`. */
  readonly listeners?: Readonly<Record<string, string>>;
}
