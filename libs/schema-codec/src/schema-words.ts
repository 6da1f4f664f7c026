/** How schemas are called in sentences. */
import { compileReader } from './avro-to-json.js';
import type { AvroField, AvroNode } from './avro-node.js';

/** `string or null`, `array of Person`, `decimal(12, 2)`: names without their namespaces. */
export function typeText(node: AvroNode): string {
  switch (node.kind) {
    case 'array':
      return `array of ${typeText(node.items)}`;
    case 'map':
      return `map of ${typeText(node.values)}`;
    case 'union':
      return unionText(node.branches);
    case 'record':
    case 'enum':
      return shortName(node.name);
    case 'fixed':
      return node.logical === null ? `fixed(${node.size}) ${shortName(node.name)}` : logicalText(node.logical);
    case 'int':
    case 'long':
    case 'string':
    case 'bytes':
      return node.logical === null ? node.kind : logicalText(node.logical);
    default:
      return node.kind;
  }
}

/** Null last: that it may be missing matters less than what it is. */
function unionText(branches: readonly AvroNode[]): string {
  const others = branches.filter(({ kind }) => kind !== 'null').map(typeText);
  return [...others, ...(others.length < branches.length ? ['null'] : [])].join(' or ');
}

const logicalText = (logical: { name: string; precision?: number; scale?: number }): string =>
  logical.name === 'decimal' ? `decimal(${logical.precision}, ${logical.scale})` : logical.name;

const shortName = (name: string): string => name.slice(name.lastIndexOf('.') + 1);

/** The default as JSON text; null when there is none. */
export const defaultText = ({ node, defaultBytes }: AvroField): string | null =>
  defaultBytes === null ? null : JSON.stringify(compileReader(node)(defaultBytes, 0));

export const childPath = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`);
