import type { ASTNode } from '@marcbachmann/cel-js';
import type { FilterEvent } from '../filter-event.js';
import type { Budget } from './budget.js';
import { Failure, typeName, type CelValue, type Result } from './value.js';

/** One evaluation. */
export interface Run {
  readonly event: FilterEvent;
  readonly budget: Budget;
  /** Of the loops around, outermost first. */
  readonly variables: CelValue[];
}

export type Evaluate = (run: Run) => Result;

/** What loops need of the compiler. */
export interface LoopCompiler {
  node(node: ASTNode): Evaluate;
  /** Parts of a loop in which a variable is known; its value is that at `slot` of the run's variables. */
  body(variable: ASTNode, parts: readonly ASTNode[]): { readonly slot: number; readonly bodies: readonly Evaluate[] };
}

export const notBool = (value: CelValue): Failure => new Failure(`Must be true or false, not ${typeName(value)}`);
