import { apiDocument } from '../../src/index.js';
import type { Owned } from '../access-world.js';

type Json = { [name: string]: unknown };

/**
 * The OpenAPI document, so that fuzzing gets somewhere: where an id is asked for, every other one is of something that is there.
 * Answers may have no field beside those that are documented.
 * @param form `bare`: without `fields`, which makes answers that lack what is required, and without `Idempotency-Key`, by
 *   which every second request with another body is refused before it is looked at
 */
export function fuzzDocument(owned: readonly Owned[], form: 'bare' | 'whole'): object {
  const whole = form === 'whole';
  const document = JSON.parse(JSON.stringify(apiDocument({ strict: !whole }))) as Json & {
    paths: Record<string, Json>;
  };
  const names = idsByName(owned);
  for (const [path, operations] of Object.entries(document.paths)) {
    const known = { ...names, ...idsByPath(owned, path) };
    for (const operation of Object.values(operations) as { parameters?: Json[] }[]) {
      operation.parameters = (operation.parameters ?? [])
        .filter(({ name }) => whole || !['fields', 'Idempotency-Key'].includes(String(name)))
        .map((parameter) => withIds(parameter, known));
    }
  }
  return withIdsInside(document, names) as object;
}

/** Of bodies and queries. */
const idsByName = (owned: readonly Owned[]): Record<string, readonly string[]> => ({
  tenantId: [...new Set(owned.map(({ tenantId }) => tenantId))],
  endpointId: owned.map(({ endpointId }) => endpointId),
  transformationId: owned.map(({ transformationId }) => transformationId),
  secretId: owned.map(({ secretId }) => secretId),
  eventType: ['note.added'],
  type: ['note.added'],
  version: ['1'],
});

function idsByPath(owned: readonly Owned[], path: string): Record<string, readonly string[]> {
  const of = (...names: (keyof Owned)[]): readonly string[] => owned.flatMap((one) => names.map((name) => one[name]));
  switch (path.split('/')[2]) {
    case 'tenants':
      return { id: [...new Set(of('tenantId'))] };
    case 'keys':
      return { id: of('keyId') };
    case 'endpoints':
      return { id: of('endpointId'), deliveryId: of('haltedId', 'otherHaltedId') };
    case 'transformations':
      return { id: of('transformationId') };
    case 'replays':
      return { id: of('replayId') };
    case 'deliveries':
      return { id: of('deliveryId', 'deadId', 'haltedId') };
    case 'dead-letters':
      return { deliveryId: of('deadId', 'otherDeadId') };
    default:
      return {};
  }
}

function withIds(parameter: Json, known: Record<string, readonly string[]>): Json {
  const ids = Object.hasOwn(known, String(parameter['name'])) ? known[String(parameter['name'])] : undefined;
  if (ids === undefined) return parameter;
  const { example: _, ...rest } = parameter;
  return { ...rest, schema: { anyOf: [{ type: 'string', enum: ids }, parameter['schema']] } };
}

/** The same for the properties of all schemas. */
function withIdsInside(value: unknown, known: Record<string, readonly string[]>): unknown {
  if (Array.isArray(value)) return value.map((one) => withIdsInside(one, known));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => {
      if (name !== 'properties' || typeof inner !== 'object' || inner === null)
        return [name, withIdsInside(inner, known)];
      const properties = Object.entries(inner).map(([property, schema]: [string, unknown]) => {
        const ids = Object.hasOwn(known, property) ? known[property] : undefined;
        const isText = (schema as Json | null)?.['type'] === 'string';
        return [
          property,
          ids !== undefined && isText
            ? { anyOf: [{ type: 'string', enum: ids }, schema] }
            : withIdsInside(schema, known),
        ];
      });
      return [name, Object.fromEntries(properties)];
    }),
  );
}
