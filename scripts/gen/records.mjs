/**
 * TypeScript types from the Avro schemas: `schemas/platform` into libs/contracts (also the schemas themselves, so that
 * nothing reads files at run time), `schemas/events` into the example producer.
 * Used by `npm run gen`, and by `npm run check` to see that what is committed is up to date.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const primitives = {
  null: 'null',
  boolean: 'boolean',
  int: 'number',
  long: 'number',
  float: 'number',
  double: 'number',
  string: 'string',
  bytes: 'Buffer',
};

/** `task.updated` and `dead-letter` become `TaskUpdated` and `DeadLetter`. */
const pascal = (name) => name.replace(/(^|[._-])([a-zA-Z0-9])/g, (_, __, letter) => letter.toUpperCase());

/** Event types are full names (`task.updated`); platform records lie in the namespace `posthorn`, which is left out. */
const typeName = (schema, namespace) => {
  const space = schema.namespace ?? namespace;
  return pascal(space === undefined || space === 'posthorn' ? schema.name : `${space}.${schema.name}`);
};

const comment = (text, indent = '') => (text ? `${indent}/** ${text} */\n` : '');

/** Collects the declarations of a schema and of all that it holds into `out` (name → text); returns the reference. */
function declare(schema, namespace, out) {
  if (Array.isArray(schema)) {
    const members = schema.map((member) => declare(member, namespace, out));
    return [...members.filter((m) => m !== 'null'), ...(members.includes('null') ? ['null'] : [])].join(' | ');
  }
  if (typeof schema === 'string') return primitives[schema] ?? pascal(schema.replace(/^posthorn\./, ''));
  if (typeof schema.type === 'object') return declare(schema.type, namespace, out);
  const space = schema.namespace ?? namespace;
  switch (schema.type) {
    case 'record': {
      const name = typeName(schema, namespace);
      out.set(name, '');
      const fields = schema.fields.map(
        (field) => `${comment(field.doc, '  ')}  readonly ${field.name}: ${declare(field.type, space, out)};\n`,
      );
      out.set(name, `${comment(schema.doc)}export interface ${name} {\n${fields.join('')}}\n`);
      return name;
    }
    case 'enum': {
      const name = typeName(schema, namespace);
      out.set(
        name,
        `${comment(schema.doc)}export type ${name} = ${schema.symbols.map((s) => `'${s}'`).join(' | ')};\n`,
      );
      return name;
    }
    case 'array':
      return `readonly ${wrap(declare(schema.items, space, out))}[]`;
    case 'map':
      return `Readonly<Record<string, ${declare(schema.values, space, out)}>>`;
    case 'fixed':
      return 'Buffer';
    default:
      return primitives[schema.type] ?? pascal(schema.type);
  }
}

const wrap = (type) => (type.includes('|') ? `(${type})` : type);

function readSchemas(folder) {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.avsc'))
    .sort()
    .map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')));
}

const banner = (source) => `// Generated from ${source} by \`npm run gen\`. Do not edit.\n\n`;

/** @returns {{ path: string, text: string }[]} the generated files, paths relative to the project's root */
export function generateRecords(root) {
  const platform = readSchemas(join(root, 'schemas/platform'));
  const events = readSchemas(join(root, 'schemas/events'));
  const records = new Map();
  for (const schema of platform) declare(schema, undefined, records);
  const eventTypes = new Map();
  for (const schema of events) declare(schema, undefined, eventTypes);
  const fullName = (schema) => `${schema.namespace}.${schema.name}`;
  return [
    {
      path: 'libs/contracts/src/records.generated.ts',
      text: `${banner('schemas/platform')}${[...records.values()].join('\n')}`,
    },
    {
      path: 'libs/contracts/src/platform-schemas.generated.ts',
      text:
        banner('schemas/platform') +
        platform
          .map(
            (s) =>
              `export const ${typeName(s)[0].toLowerCase()}${typeName(s).slice(1)}Schema = ${JSON.stringify(s, null, 2)} as const;\n`,
          )
          .join('\n'),
    },
    {
      path: 'examples/project-management/producer/events.generated.ts',
      text:
        `${banner('schemas/events')}${[...eventTypes.values()].join('\n')}\n` +
        `/** Event type (the Avro full name) to its data. */\nexport interface EventData {\n` +
        events.map((s) => `  readonly '${fullName(s)}': ${typeName(s)};\n`).join('') +
        `}\n`,
    },
  ];
}
