import type { Discriminator, FilterFault, OwnDialect } from '#libs/core';
import { compileCel, type Room } from './compile.js';
import { equalitiesOf } from './equalities.js';
import type { Evaluate } from './evaluation.js';
import { celLimits, parseCel, positionIn, type CelFault } from './language.js';

/** An expression that was found good. */
export interface CelExpression {
  readonly source: string;
  readonly evaluate: Evaluate;
  /** Whether it looks at the event's data. */
  readonly readsData: boolean;
  readonly equalities: readonly Discriminator[];
  /** Memory that its function takes, about. */
  readonly bytes: number;
}

/** As measured with Node 20. */
const [nodeBytes, instructionBytes] = [256, 96];

/** `{"cel": "…"}`, as it may stand in one array of filters: what their expressions may be in all is counted. */
export function celDialect(): OwnDialect<CelExpression> {
  let charactersLeft: number = celLimits.textInAll;
  const room: Room = {
    nodes: celLimits.nodes,
    patterns: celLimits.patterns,
    instructions: celLimits.instructions,
  };

  const compiled = (source: string): CelExpression | CelFault[] => {
    const parsed = parseCel(source);
    if (!parsed.ok) return [parsed.fault];
    const { ast } = parsed;
    // Before its attribute `type` is renamed.
    const equalities = equalitiesOf(ast);
    const before = { ...room };
    const { evaluate, findings } = compileCel(ast, room);
    if (findings.faults.length > 0) return findings.faults;
    const bytes =
      (before.nodes - room.nodes) * nodeBytes + (before.instructions - room.instructions) * instructionBytes;
    const fault = parsed.typeFault();
    return fault === null ? { source, evaluate, readsData: findings.readsData, equalities, bytes } : [fault];
  };

  return {
    name: 'cel',
    parse(operand) {
      if (typeof operand !== 'string') return refused('wrong-type', 'Must be a CEL expression, as a string.');
      if (operand === '') return refused('too-small', 'Must not be empty.');
      if (operand.length > celLimits.text) return refused('too-big', `At most ${celLimits.text} characters.`);
      charactersLeft -= operand.length;
      if (charactersLeft < 0) return refused('too-big', `At most ${celLimits.textInAll} characters of CEL in all.`);
      // PostgreSQL, where filters are kept, takes neither.
      if (operand.includes('\0') || !operand.isWellFormed()) return refused('invalid', 'Not a text of Unicode.');
      const result = compiled(operand);
      if (!Array.isArray(result)) return { ok: true, own: result };
      const faults = result.map(({ code, detail, index }) => {
        return { pointer: '', code, detail, position: positionIn(operand, index) };
      });
      return { ok: false, faults };
    },
  };
}

const refused = (code: FilterFault['code'], detail: string): { ok: false; faults: FilterFault[] } => ({
  ok: false,
  faults: [{ pointer: '', code, detail }],
});
