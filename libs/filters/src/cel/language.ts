import { Environment, type ASTNode } from '@marcbachmann/cel-js';
import type { FilterFault, TextPosition } from '#libs/core';

/** What an expression may be at most. Beyond it, it is a fault when it is written. */
export const celLimits = {
  /** Characters of one, and of all expressions of the same filters. */
  text: 4_000,
  textInAll: 8_000,
  /** In all expressions of the same filters: each node is functions in memory, as long as the endpoint lives. */
  nodes: 300,
  depth: 50,
  listElements: 100,
  /** Loops (`all`, `exists`, `exists_one`, `map`, `filter`) within loops. */
  loops: 2,
  /** In all expressions of the same filters. */
  patterns: 5,
  /** Of RE2, in all those patterns. */
  instructions: 300,
} as const;

/** CEL's own `type` is the type of types: the attribute of that name stands in its place here. */
export const typeAttribute = 'attribute type';

/** Attributes that have a name of their own; an event always has the first ones. */
export const requiredAttributes = ['id', 'source', 'specversion'] as const;
export const optionalAttributes = [
  'time',
  'subject',
  'tenantid',
  'partitionkey',
  'datacontenttype',
  'dataschema',
] as const;

const environment = new Environment({
  // JSON mixes types in its lists.
  homogeneousAggregateLiterals: false,
  limits: {
    maxAstNodes: celLimits.nodes,
    maxDepth: celLimits.depth,
    maxListElements: celLimits.listElements,
    maxCallArguments: 3,
    maxMapEntries: 0,
  },
});
for (const name of [...requiredAttributes, typeAttribute]) environment.registerVariable(name, 'string');
for (const name of optionalAttributes) environment.registerVariable(name, 'dyn');
environment.registerVariable('extensions', 'map<string, dyn>').registerVariable('data', 'dyn');

export interface CelFault {
  readonly code: FilterFault['code'];
  readonly detail: string;
  /** In UTF-16 units. */
  readonly index: number;
}

export type Parsed =
  | { readonly ok: true; readonly ast: ASTNode; readonly typeFault: () => CelFault | null }
  | { readonly ok: false; readonly fault: CelFault };

/** The grammar of CEL and nothing else. `typeFault` checks the tree as it is then, and must be the last that is done to it. */
export function parseCel(source: string): Parsed {
  try {
    const parsed = environment.parse(source);
    return { ok: true, ast: parsed.ast, typeFault: () => typeFault(parsed.check()) };
  } catch (error) {
    return { ok: false, fault: faultOf(error, 'syntax') };
  }
}

function typeFault({ valid, type = '', error }: ReturnType<typeof environment.check>): CelFault | null {
  if (!valid) return faultOf(error, 'type-mismatch');
  if (type === 'bool' || type.startsWith('dyn')) return null;
  return { code: 'type-mismatch', detail: `Must say true or false, not a ${type}.`, index: 0 };
}

function faultOf(error: unknown, code: CelFault['code']): CelFault {
  if (error instanceof RangeError) return { code: 'too-big', detail: 'Nested too deep.', index: 0 };
  const { summary, code: kind, range } = error as Partial<{ summary: string; code: string; range: { start: number } }>;
  // Anything else is a bug of the library; whoever wrote the expression can only write another one.
  const detail = `${summary ?? 'It cannot be understood'}.`;
  return { code: kind === 'limit_exceeded' ? 'too-big' : code, detail, index: range?.start ?? 0 };
}

export function positionIn(source: string, index: number): TextPosition {
  const before = source.slice(0, index);
  const lineStart = before.lastIndexOf('\n') + 1;
  return { index, line: before.split('\n').length, column: index - lineStart + 1 };
}
