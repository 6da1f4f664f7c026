import avsc from 'avsc';
import {
  attemptSchema,
  auditEntrySchema,
  deadLetterSchema,
  deliverySchema,
  endpointConfigSchema,
  endOfSpaceSchema,
  endpointStatusSchema,
  fenceSchema,
  replayConfigSchema,
  tenantConfigSchema,
  transformationConfigSchema,
  type Attempt,
  type AuditEntry,
  type DeadLetter,
  type Delivery,
  type EndpointConfig,
  type EndOfSpace,
  type EndpointStatus,
  type Fence,
  type ReplayConfig,
  type TenantConfig,
  type TransformationConfig,
} from '#libs/contracts';
import { CodecError } from './errors.js';
import type { Registry } from './registry.js';
import { frameBytes, schemaIdOf, writeFrame } from './wire-format.js';

/** Encodes and decodes one of our own records, synchronously. */
export interface RecordCodec<T> {
  /** In the Confluent wire format. Throws on a value that is not of this type (a bug). */
  encode(value: T): Buffer;
  /** Takes any registered version and answers in the present one. Throws `CodecError`. */
  decode(bytes: Buffer): T;
}

export interface PlatformCodecs {
  readonly delivery: RecordCodec<Delivery>;
  readonly attempt: RecordCodec<Attempt>;
  readonly deadLetter: RecordCodec<DeadLetter>;
  readonly endpointConfig: RecordCodec<EndpointConfig>;
  readonly tenantConfig: RecordCodec<TenantConfig>;
  readonly replayConfig: RecordCodec<ReplayConfig>;
  readonly transformationConfig: RecordCodec<TransformationConfig>;
  /** Stands among the deliveries of a retry topic: `isFence` tells them apart. */
  readonly fence: RecordCodec<Fence>;
  /** Whether a prepared record is a Fence. */
  isFence(value: Buffer): boolean;
  /** Stands among the deliveries of `deliveries`: `isEndOfSpace` tells them apart. */
  readonly endOfSpace: RecordCodec<EndOfSpace>;
  /** Whether a prepared record is an EndOfSpace. */
  isEndOfSpace(value: Buffer): boolean;
  readonly endpointStatus: RecordCodec<EndpointStatus>;
  readonly auditEntry: RecordCodec<AuditEntry>;
  /**
   * Loads the schemas of these records that are not known yet, so that `decode` can do without the registry. Resolves at
   * once when there are none. Rejects with `RegistryUnavailable`; null values and unframed ones are passed over.
   */
  prepare(values: Iterable<Buffer | null>): Promise<void>;
  /** Whether `prepare` would have anything to do for this value: spares the promise on the hot path. */
  isPrepared(value: Buffer | null): boolean;
}

/** Schemas of the platform's records by subject (their Avro full name). */
export const platformSchemas = {
  'posthorn.Delivery': deliverySchema,
  'posthorn.Attempt': attemptSchema,
  'posthorn.AuditEntry': auditEntrySchema,
  'posthorn.DeadLetter': deadLetterSchema,
  'posthorn.EndpointConfig': endpointConfigSchema,
  'posthorn.EndOfSpace': endOfSpaceSchema,
  'posthorn.EndpointStatus': endpointStatusSchema,
  'posthorn.Fence': fenceSchema,
  'posthorn.ReplayConfig': replayConfigSchema,
  'posthorn.TenantConfig': tenantConfigSchema,
  'posthorn.TransformationConfig': transformationConfigSchema,
} as const;

export type PlatformSubject = keyof typeof platformSchemas;

/** Writers' schemas by id, for all platform codecs together. They never change, so they are kept for ever. */
class Writers {
  readonly #types = new Map<number, avsc.Type | null>();
  readonly #registry: Registry;
  #lastId = -1;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  get(id: number): avsc.Type | null | undefined {
    return this.#types.get(id);
  }

  add(id: number, type: avsc.Type): void {
    this.#types.set(id, type);
  }

  /** Full name of the type that a prepared record was written with. */
  nameOf(value: Buffer): string | undefined {
    const id = schemaIdOf(value);
    return id === null ? undefined : this.#types.get(id)?.name;
  }

  isPrepared(value: Buffer | null): boolean {
    if (value === null) return true;
    const id = schemaIdOf(value);
    // Records come in runs of one schema.
    if (id === null || id === this.#lastId) return true;
    // A null may have been a registry that lagged behind: it is asked for again.
    if ((this.#types.get(id) ?? null) === null) return false;
    this.#lastId = id;
    return true;
  }

  async prepare(values: Iterable<Buffer | null>): Promise<void> {
    const missing = new Set<number>();
    for (const value of values) {
      if (value !== null && !this.isPrepared(value)) missing.add(value.readUInt32BE(1));
    }
    await Promise.all([...missing].map((id) => this.#load(id)));
  }

  async #load(id: number): Promise<void> {
    const text = await this.#registry.schemaById(id);
    this.#types.set(id, text === null ? null : typeOf(JSON.parse(text) as object));
  }
}

const typeOf = (schema: object): avsc.Type => avsc.Type.forSchema(schema as avsc.Schema);

/** One buffer for all encoding: what is encoded is copied out of it. */
let scratch = Buffer.allocUnsafe(64 * 1024);

/** Codec of one record, over its present schema and the writers' ones. */
function recordCodec<T>(schema: object, schemaId: number, writers: Pick<Writers, 'get'>): RecordCodec<T> {
  const type = typeOf(schema);
  const resolvers = new Map<number, avsc.Resolver>();
  const resolverFor = (id: number): avsc.Resolver => {
    const writer = writers.get(id);
    if (writer === undefined) throw new CodecError('not-prepared', `schema ${id} was not loaded before`);
    if (writer === null) throw new CodecError('unknown-schema', `the registry has no schema ${id}`);
    try {
      const resolver = type.createResolver(writer);
      resolvers.set(id, resolver);
      return resolver;
    } catch (cause) {
      throw new CodecError('unknown-schema', `schema ${id} is not one of ${String(type.name)}`, { cause });
    }
  };
  return {
    encode(value) {
      let end = type.encode(value, scratch, frameBytes);
      if (end < 0) {
        // avsc says by how much the buffer was too short.
        scratch = Buffer.allocUnsafe(Math.max(scratch.length * 2, scratch.length - end));
        end = type.encode(value, scratch, frameBytes);
      }
      const bytes = Buffer.allocUnsafe(end);
      scratch.copy(bytes, frameBytes, frameBytes, end);
      writeFrame(bytes, schemaId);
      return bytes;
    },
    decode(bytes) {
      const id = schemaIdOf(bytes);
      if (id === null)
        throw new CodecError('not-framed', `no schema id in front: ${bytes.subarray(0, 8).toString('hex')}`);
      const resolver = id === schemaId ? undefined : (resolvers.get(id) ?? resolverFor(id));
      let result: { value: T; offset: number };
      try {
        result = type.decode(bytes, frameBytes, resolver);
      } catch (cause) {
        throw new CodecError('malformed', `not a ${String(type.name)} of schema ${id}`, { cause });
      }
      if (result.offset !== bytes.length)
        throw new CodecError('malformed', `not a ${String(type.name)} of schema ${id}: wrong length`);
      return result.value;
    },
  };
}

/**
 * Codecs of the platform's records. Their ids are looked up once, here.
 * @throws Error that names the subjects which are not registered yet
 */
export async function openPlatformCodecs(registry: Registry): Promise<PlatformCodecs> {
  const subjects = Object.keys(platformSchemas) as PlatformSubject[];
  const ids = new Map<PlatformSubject, number>();
  const missing: string[] = [];
  const look = async (subject: PlatformSubject): Promise<void> => {
    const id = await registry.idOf(subject, platformSchemas[subject]);
    if (id === null) missing.push(subject);
    else ids.set(subject, id);
  };
  await Promise.all(subjects.map(look));
  if (missing.length > 0)
    throw new Error(
      `the schema registry lacks the present schema of ${missing.sort().join(', ')}: run \`posthorn schemas apply\` first`,
    );
  const writers = new Writers(registry);
  const codec = <T>(subject: PlatformSubject): RecordCodec<T> => {
    const id = ids.get(subject) ?? 0;
    writers.add(id, typeOf(platformSchemas[subject]));
    return recordCodec<T>(platformSchemas[subject], id, writers);
  };
  return {
    delivery: codec<Delivery>('posthorn.Delivery'),
    attempt: codec<Attempt>('posthorn.Attempt'),
    deadLetter: codec<DeadLetter>('posthorn.DeadLetter'),
    endpointConfig: codec<EndpointConfig>('posthorn.EndpointConfig'),
    tenantConfig: codec<TenantConfig>('posthorn.TenantConfig'),
    replayConfig: codec<ReplayConfig>('posthorn.ReplayConfig'),
    transformationConfig: codec<TransformationConfig>('posthorn.TransformationConfig'),
    fence: codec<Fence>('posthorn.Fence'),
    isFence: (value) => writers.nameOf(value) === 'posthorn.Fence',
    endOfSpace: codec<EndOfSpace>('posthorn.EndOfSpace'),
    isEndOfSpace: (value) => writers.nameOf(value) === 'posthorn.EndOfSpace',
    endpointStatus: codec<EndpointStatus>('posthorn.EndpointStatus'),
    auditEntry: codec<AuditEntry>('posthorn.AuditEntry'),
    prepare: (values) => writers.prepare(values),
    isPrepared: (value) => writers.isPrepared(value),
  };
}
