import type { JsonValue } from '#libs/core';
import { compileReader, type JsonReader } from './avro-to-json.js';
import { parseAvroSchema, type AvroNode } from './avro-node.js';
import { compileResolvingReader } from './avro-resolution.js';
import { CodecError } from './errors.js';
import { compileWriter, type AvroWriter } from './json-to-avro.js';
import type { DataFault } from './json-fault.js';
import { frameBytes, schemaIdOf } from './wire-format.js';

type EncodedJson =
  | { readonly ok: true; readonly schemaId: number; readonly bytes: Buffer }
  | { readonly ok: false; readonly faults: readonly DataFault[] };

/** Writers that a version keeps compiled readers for. A type has as many as versions; more come only by mistake. */
const maxResolutions = 100;

/** One registered version of an event type's data. Compiled at first use, then kept. */
export class EventSchema {
  /** The event type: the full name of the record. */
  readonly type: string;
  /** The schema as it is registered. */
  readonly avro: object;
  readonly node: AvroNode;
  #reader: JsonReader | undefined;
  #writer: AvroWriter | undefined;
  readonly #resolutions = new Map<number, JsonReader | null>();

  /** @throws Error if the text is not the Avro schema of a record */
  constructor(
    readonly schemaId: number,
    schema: string,
  ) {
    this.avro = JSON.parse(schema) as object;
    this.node = parseAvroSchema(this.avro);
    if (this.node.kind !== 'record') throw new Error(`schema ${schemaId} is not that of a record`);
    this.type = this.node.name;
  }

  /**
   * Data in the wire format of exactly this schema as plain JSON, by the table in avro-to-json.ts.
   * @throws CodecError
   */
  decode(framed: Buffer): JsonValue {
    this.#checkFrame(framed);
    this.#reader ??= compileReader(this.node);
    return this.#reader(framed, frameBytes);
  }

  /**
   * The same data as the JSON of another version: Avro schema resolution from this, the writer's, to the reader's.
   * @returns undefined when the versions are not compatible
   * @throws CodecError
   */
  decodeAs(reader: EventSchema, framed: Buffer): JsonValue | undefined {
    this.#checkFrame(framed);
    return reader.#resolutionFrom(this)?.(framed, frameBytes);
  }

  /** Plain JSON as data in the wire format, or every fault at once. */
  encode(json: JsonValue): EncodedJson {
    this.#writer ??= compileWriter(this.node);
    const result = this.#writer(json, this.schemaId);
    return Array.isArray(result) ? { ok: false, faults: result } : { ok: true, schemaId: this.schemaId, bytes: result };
  }

  #checkFrame(framed: Buffer): void {
    if (schemaIdOf(framed) !== this.schemaId)
      throw new CodecError('not-framed', `not framed with schema ${this.schemaId}`);
  }

  #resolutionFrom(writer: EventSchema): JsonReader | null {
    const known = this.#resolutions.get(writer.schemaId);
    if (known !== undefined) return known;
    const made = compileResolvingReader(writer.node, this.node);
    for (const oldest of this.#resolutions.keys()) {
      if (this.#resolutions.size < maxResolutions) break;
      this.#resolutions.delete(oldest);
    }
    this.#resolutions.set(writer.schemaId, made);
    return made;
  }
}
