/** Whether each value that was allowed by a JSON Schema is allowed by another one, as far as our schemas go. */

export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly pattern?: string;
  readonly format?: string;
  readonly [bound: string]: unknown;
}
export interface Within {
  readonly schema: Schema;
  /** What its references name. */
  readonly schemas: Readonly<Record<string, Schema>>;
}
/** Callers write requests, and read answers. */
export type Direction = 'request' | 'answer';
export interface SchemaBreak {
  /** `retry.delaysMs[]` */
  readonly path: string;
  readonly fault: string;
}

const lower = ['minimum', 'exclusiveMinimum', 'minLength', 'minItems', 'minProperties'];
const upper = ['maximum', 'exclusiveMaximum', 'maxLength', 'maxItems', 'maxProperties'];

export function schemaBreaks(was: Within, is: Within, direction: Direction, path = ''): SchemaBreak[] {
  const [before, after] = [resolved(was), resolved(is)];
  const [narrow, wide] = direction === 'request' ? [before, after] : [after, before];
  const at = (fault: string): SchemaBreak => ({ path, fault });
  if (branchesOf(before) !== null || branchesOf(after) !== null) return branchBreaks(was, is, direction, path);
  const faults = [
    ...typeFaults(narrow, wide, direction),
    ...enumFaults(before, after, direction),
    ...requiredFaults(before, after, direction),
    ...(direction === 'request' ? boundFaults(before, after) : []),
  ].map(at);
  return [...faults, ...fieldBreaks({ ...was, schema: before }, { ...is, schema: after }, direction, path)];
}

function fieldBreaks(was: Within, is: Within, direction: Direction, path: string): SchemaBreak[] {
  const { properties = {}, items, additionalProperties: others } = was.schema;
  const now = is.schema;
  const below = (before: Schema, after: Schema, place: string): SchemaBreak[] =>
    schemaBreaks({ ...was, schema: before }, { ...is, schema: after }, direction, place);
  const found = Object.entries(properties).flatMap(([name, field]): SchemaBreak[] => {
    const place = path === '' ? name : `${path}.${name}`;
    const after = now.properties?.[name];
    return after === undefined ? [{ path: place, fault: 'it is gone' }] : below(field, after, place);
  });
  if (items !== undefined && now.items !== undefined) found.push(...below(items, now.items, `${path}[]`));
  if (typeof others === 'object' && typeof now.additionalProperties === 'object')
    found.push(...below(others, now.additionalProperties, `${path}.*`));
  if (direction === 'request' && now.additionalProperties === false && others !== false && 'type' in was.schema)
    found.push({ path, fault: 'fields that are not named are refused now' });
  return found;
}

/** Of requests, each branch that was must fit one that is; of answers, the other way round. */
function branchBreaks(was: Within, is: Within, direction: Direction, path: string): SchemaBreak[] {
  const [before, after] = [was, is].map((one) => branchesOf(resolved(one)) ?? [resolved(one)]) as [Schema[], Schema[]];
  const breaksOf = (old: Schema, now: Schema): SchemaBreak[] =>
    schemaBreaks({ ...was, schema: old }, { ...is, schema: now }, direction, path);
  const [each, some] = direction === 'request' ? [before, after] : [after, before];
  return each.flatMap((one) => {
    const tries = some.map((other) => (direction === 'request' ? breaksOf(one, other) : breaksOf(other, one)));
    // The nearest of those that do not fit says what is wrong.
    return tries.toSorted((a, b) => a.length - b.length)[0] ?? [];
  });
}

function typeFaults(narrow: Schema, wide: Schema, direction: Direction): string[] {
  const [given, taken] = [typesOf(narrow), typesOf(wide)];
  if (taken === null) return [];
  const left =
    given === null
      ? ['anything']
      : given.filter((type) => !taken.includes(type) && !(type === 'integer' && taken.includes('number')));
  return left.map((type) => (direction === 'request' ? `${type} is not taken any more` : `it may be ${type} now`));
}

/** Values may be added to both; none may go. */
function enumFaults(before: Schema, after: Schema, direction: Direction): string[] {
  const [were, are] = [valuesOf(before), valuesOf(after)];
  if (are === null) return [];
  if (were === null) return direction === 'request' ? [`only ${JSON.stringify(are)} are taken now`] : [];
  const gone = were.filter((value) => !are.includes(value));
  return gone.map((value) => `the value ${JSON.stringify(value)} is gone`);
}

function requiredFaults(before: Schema, after: Schema, direction: Direction): string[] {
  const [were, are] = [before.required ?? [], after.required ?? []];
  if (direction === 'request')
    return are.filter((name) => !were.includes(name)).map((name) => `${name} is required now`);
  const left = were.filter((name) => !are.includes(name) && after.properties?.[name] !== undefined);
  return left.map((name) => `${name} may be missing now`);
}

function boundFaults(before: Schema, after: Schema): string[] {
  const tighter = (
    names: readonly string[],
    isTighter: (now: number, then: number) => boolean,
    none: number,
  ): string[] =>
    names.filter((name) =>
      isTighter((after[name] as number | undefined) ?? none, (before[name] as number | undefined) ?? none),
    );
  const bounds = [
    ...tighter(lower, (now, then) => now > then, -Infinity),
    ...tighter(upper, (now, then) => now < then, Infinity),
  ].map((name) => `${name} is ${bound(after, name)} now, and was ${bound(before, name)}`);
  const texts = (['pattern', 'format'] as const).filter(
    (name) => after[name] !== undefined && after[name] !== before[name],
  );
  return [...bounds, ...texts.map((name) => `its ${name} is another one: ${String(after[name])}`)];
}

const bound = (schema: Schema, name: string): string =>
  schema[name] === undefined ? 'not there' : JSON.stringify(schema[name]);

const branchesOf = ({ anyOf, oneOf }: Schema): readonly Schema[] | null => anyOf ?? oneOf ?? null;
const typesOf = ({ type }: Schema): readonly string[] | null => (type === undefined ? null : [type].flat());
const valuesOf = (schema: Schema): readonly unknown[] | null =>
  schema.enum ?? ('const' in schema ? [schema.const] : null);

function resolved({ schema, schemas }: Within): Schema {
  return schema.$ref === undefined ? schema : (schemas[schema.$ref.split('/').at(-1) ?? ''] ?? {});
}
