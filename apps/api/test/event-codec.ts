import { platformSchemas, InMemoryRegistry, openSchemaCodec, type SchemaCodec } from '#libs/schema-codec';

/** The one event type of these tests. */
export const noteAdded = {
  type: 'record',
  namespace: 'note',
  name: 'added',
  fields: [
    { name: 'text', type: 'string' },
    { name: 'stars', type: 'int', default: 0 },
  ],
};

/** A codec over a registry in memory that knows one event type, `note.added`. */
export async function testCodec(): Promise<{ readonly codec: SchemaCodec; readonly registry: InMemoryRegistry }> {
  const registry = new InMemoryRegistry();
  for (const [subject, schema] of Object.entries(platformSchemas)) registry.register(subject, schema);
  registry.register('note.added', noteAdded);
  return { codec: await openSchemaCodec(registry), registry };
}
