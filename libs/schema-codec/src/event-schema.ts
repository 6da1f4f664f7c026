import type { JsonValue } from '#libs/core';
import { compileReader, type JsonReader } from './avro-to-json.js';
import { parseAvroSchema, type AvroNode } from './avro-node.js';
import { CodecError } from './errors.js';
import { compileWriter, type AvroWriter } from './json-to-avro.js';
import type { DataFault } from './json-fault.js';
import { frameBytes, schemaIdOf } from './wire-format.js';

type EncodedJson =
  | { readonly ok: true; readonly schemaId: number; readonly bytes: Buffer }
  | { readonly ok: false; readonly faults: readonly DataFault[] };

/** One registered version of an event type's data. Compiled at first use, then kept. */
export class EventSchema {
  /** The event type: the full name of the record. */
  readonly type: string;
  readonly #node: AvroNode;
  #reader: JsonReader | undefined;
  #writer: AvroWriter | undefined;

  /** @throws Error if the text is not the Avro schema of a record */
  constructor(
    readonly schemaId: number,
    schema: string,
  ) {
    this.#node = parseAvroSchema(JSON.parse(schema) as object);
    if (this.#node.kind !== 'record') throw new Error(`schema ${schemaId} is not that of a record`);
    this.type = this.#node.name;
  }

  /**
   * Data in the wire format of exactly this schema as plain JSON, by the table in avro-to-json.ts.
   * @throws CodecError
   */
  decode(framed: Buffer): JsonValue {
    const id = schemaIdOf(framed);
    if (id !== this.schemaId) throw new CodecError('not-framed', `not framed with schema ${this.schemaId}`);
    this.#reader ??= compileReader(this.#node);
    return this.#reader(framed, frameBytes);
  }

  /** Plain JSON as data in the wire format, or every fault at once. */
  encode(json: JsonValue): EncodedJson {
    this.#writer ??= compileWriter(this.#node);
    const result = this.#writer(json, this.schemaId);
    return Array.isArray(result) ? { ok: false, faults: result } : { ok: true, schemaId: this.schemaId, bytes: result };
  }
}
