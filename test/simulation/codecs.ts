import { formatSecret, sealSecret } from '#libs/core';
import { InMemoryRegistry, openSchemaCodec, platformSchemas, type SchemaCodec } from '#libs/schema-codec';

/** What all worlds of a process share: it costs more than a run, and nothing in it changes. */
export interface Codecs {
  readonly schema: SchemaCodec;
  /** The data of a task.updated in the wire format. */
  avro(title: string): Buffer;
}

const taskUpdated = {
  type: 'record',
  namespace: 'task',
  name: 'updated',
  fields: [{ name: 'title', type: 'string' }],
};

export async function openCodecs(): Promise<Codecs> {
  const registry = new InMemoryRegistry();
  for (const [subject, schema] of Object.entries(platformSchemas)) registry.register(subject, schema);
  const schemaId = registry.register('task.updated', taskUpdated);
  // A clock that stands: what is loaded once stays, so that the first run goes as all later ones.
  const schema = await openSchemaCodec(registry, () => 0);
  await schema.events.byId(schemaId);
  return {
    schema,
    avro(title) {
      const text = Buffer.from(title);
      const head = Buffer.alloc(5);
      head.writeUInt32BE(schemaId, 1);
      // Avro: the length of a short string as a zigzag number is one byte.
      return Buffer.concat([head, Buffer.of(text.length * 2), text]);
    },
  };
}

export const masterKeys = new Map([[1, Buffer.alloc(32, 1)]]);

const secret = formatSecret(Buffer.alloc(32, 7));
const sealed = new Map<string, string>();

/** An endpoint's secret as its configuration holds it. */
export function sealedSecretOf(endpointId: string): string {
  const known = sealed.get(endpointId) ?? sealSecret(masterKeys, secret, endpointId, Buffer.alloc(12, 3));
  sealed.set(endpointId, known);
  return known;
}
