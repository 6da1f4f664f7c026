import type { ASTNode } from '@marcbachmann/cel-js';
import { namesOf } from './comparison.js';
import { notBool, type Evaluate, type LoopCompiler, type Run } from './evaluation.js';
import { Failure, isList, isMap, typeName, type CelValue, type Result } from './value.js';

/** What a loop makes of the values of its body, one after the other. */
type Loop = (items: readonly CelValue[], valueOf: (item: CelValue) => Result) => Result;

const loops: Readonly<Record<string, Loop>> = {
  all: quantifier(false),
  exists: quantifier(true),
  exists_one(items, valueOf) {
    let found = 0;
    for (const item of items) {
      const value = valueOf(item);
      if (typeof value !== 'boolean') return value instanceof Failure ? value : notBool(value);
      if (value) found += 1;
    }
    return found === 1;
  },
  filter(items, valueOf) {
    const kept: CelValue[] = [];
    for (const item of items) {
      const value = valueOf(item);
      if (typeof value !== 'boolean') return value instanceof Failure ? value : notBool(value);
      if (value) kept.push(item);
    }
    return kept;
  },
  map(items, valueOf) {
    const made: CelValue[] = [];
    for (const item of items) {
      const value = valueOf(item);
      if (value instanceof Failure) return value;
      made.push(value);
    }
    return made;
  },
};

export const loopNames: readonly string[] = Object.keys(loops);

export const isLoop = (name: string, args: number): boolean =>
  Object.hasOwn(loops, name) && (args === 2 || (name === 'map' && args === 3));

/** `list.all(x, …)` and the like; over a map, x is each of its names. `list.map(x, wanted, value)` is a filter before a map. */
export function compileLoop(
  compiler: LoopCompiler,
  name: string,
  receiver: ASTNode,
  [variable, ...parts]: readonly ASTNode[],
): Evaluate {
  const over = compiler.node(receiver);
  const loop = loops[name];
  if (variable === undefined || loop === undefined) throw new TypeError(`${name} is not a loop`);
  const { slot, bodies } = compiler.body(variable, parts);
  const steps = bodies.map((body, i): ((items: readonly CelValue[], run: Run) => Result) => {
    const step = i < bodies.length - 1 ? loops['filter'] : loop;
    return (items, run) =>
      (step ?? loop)(items, (item) => {
        run.budget.spend(1);
        run.variables[slot] = item;
        return body(run);
      });
  });
  return (run) => {
    let value = itemsOf(over(run), run);
    for (const step of steps) {
      if (!isList(value)) return value;
      value = step(value, run);
    }
    return value;
  };
}

function itemsOf(value: Result, { budget }: Run): Result {
  if (value instanceof Failure || isList(value)) return value;
  return isMap(value) ? namesOf(value, budget) : new Failure(`There are no elements in a ${typeName(value)}`);
}

/** `decisive` of one element decides, whatever errors the others are. */
function quantifier(decisive: boolean): Loop {
  return (items, valueOf) => {
    let wrong: Failure | null = null;
    for (const item of items) {
      const value = valueOf(item);
      if (value === decisive) return decisive;
      if (typeof value !== 'boolean') wrong ??= value instanceof Failure ? value : notBool(value);
    }
    return wrong ?? !decisive;
  };
}
