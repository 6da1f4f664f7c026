import {
  attemptSchema,
  deadLetterSchema,
  deliverySchema,
  endpointConfigSchema,
  tenantConfigSchema,
} from '#libs/contracts';
import { InMemoryRegistry, openSchemaCodec, type SchemaCodec } from '#libs/schema-codec';

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
  registry.register('posthorn.Attempt', attemptSchema);
  registry.register('posthorn.DeadLetter', deadLetterSchema);
  registry.register('posthorn.Delivery', deliverySchema);
  registry.register('posthorn.EndpointConfig', endpointConfigSchema);
  registry.register('posthorn.TenantConfig', tenantConfigSchema);
  registry.register('note.added', noteAdded);
  return { codec: await openSchemaCodec(registry), registry };
}
