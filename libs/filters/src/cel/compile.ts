import type { ASTNode } from '@marcbachmann/cel-js';
import { attributeOf } from '#libs/core';
import { calculate, noOverload, type ArithmeticOperator } from './arithmetic.js';
import { isEqual, orderOf } from './comparison.js';
import { conversion } from './conversions.js';
import type { Evaluate, LoopCompiler } from './evaluation.js';
import { celLimits, optionalAttributes, requiredAttributes, typeAttribute, type CelFault } from './language.js';
import { compileLoop, isLoop } from './loops.js';
import { methods, noMethod, sizeOf, textMethods } from './methods.js';
import {
  applied,
  binary,
  conditional,
  element,
  field,
  isIn,
  listOf,
  logical,
  negative,
  not,
  type Apply,
} from './operators.js';
import { Pattern } from './pattern.js';
import { Failure, isMap } from './value.js';

/** What the compiler finds out beside the function. */
export interface Findings {
  readonly faults: CelFault[];
  readsData: boolean;
}

/** What expressions of the same filters may have yet; the compiler takes from it. Below 0: there was a fault. */
export interface Room {
  nodes: number;
  /** Compiling one may take milliseconds. */
  patterns: number;
  instructions: number;
}

/**
 * A tree of the grammar as a function. The library's own evaluator is not used: nothing bounds its time, and it searches
 * with JavaScript's regular expressions (docs/decisions/0010). Faults are noted, then the function must not be used. Renames the
 * attribute `type` in the tree, for the check of types that follows.
 */
export function compileCel(
  ast: ASTNode,
  room: Room,
): { readonly evaluate: Evaluate; readonly findings: Readonly<Findings> } {
  const findings: Findings = { faults: [], readsData: false };
  const evaluate = new Compiler(findings, room).node(ast);
  return { evaluate, findings };
}

const nothing: Evaluate = () => new Failure('Not compiled');

class Compiler implements LoopCompiler {
  readonly #findings: Findings;
  readonly #room: Room;
  readonly #loopVariables: string[] = [];

  constructor(findings: Findings, room: Room) {
    this.#findings = findings;
    this.#room = room;
  }

  /** The function of a node takes a step each time, but for the leaves. */
  node(node: ASTNode): Evaluate {
    const room = this.#room;
    // Told once, not of every node that follows.
    if (room.nodes < 0) return nothing;
    room.nodes -= 1;
    if (room.nodes < 0) return this.#fault(node, `At most ${celLimits.nodes} nodes in all.`, 'too-big');
    if (node.op === 'value') return this.#literal(node);
    if (node.op === 'id') return this.#variable(node);
    const evaluate = this.#composed(node);
    return (run) => {
      run.budget.spend(1);
      return evaluate(run);
    };
  }

  body(variable: ASTNode, nodes: readonly ASTNode[]): { readonly slot: number; readonly bodies: Evaluate[] } {
    const slot = this.#loopVariables.length;
    if (variable.op !== 'id') this.#fault(variable, 'Must be the name of a variable.');
    else if (isEventVariable(variable.args))
      this.#fault(variable, `${variable.args} is a variable of the event already.`);
    else if (slot === celLimits.loops)
      this.#fault(variable, `At most ${celLimits.loops} loops within each other.`, 'too-big');
    this.#loopVariables.push(variable.op === 'id' ? variable.args : '');
    const bodies = nodes.map((one) => this.node(one));
    this.#loopVariables.pop();
    return { slot, bodies };
  }

  #literal(node: ASTNode & { op: 'value' }): Evaluate {
    const value = node.args;
    if (typeof value === 'object' && value !== null)
      return this.#fault(node, 'There are no bytes and no unsigned numbers in an event.');
    if (typeof value === 'bigint' && value >= 2n ** 63n) return this.#fault(node, 'Beyond 64 bits.', 'too-big');
    return () => value;
  }

  #variable(node: ASTNode & { op: 'id' }): Evaluate {
    const name = node.args;
    const slot = this.#loopVariables.lastIndexOf(name);
    if (slot >= 0) return ({ variables }) => variables[slot] ?? null;
    if (name === 'data') {
      this.#findings.readsData = true;
      return ({ event }) => event.data;
    }
    if (name === 'extensions') return ({ event }) => event.attributes.extensions;
    if (name === 'type') Object.assign(node, { args: typeAttribute });
    if (isEventVariable(name)) return ({ event }) => attributeOf(event.attributes, name) ?? null;
    const said = name.slice(0, 64);
    return this.#fault(node, `Unknown variable: ${said}. Fields of an event's data are written data.${said}.`);
  }

  #composed(node: Exclude<ASTNode, { op: 'value' | 'id' }>): Evaluate {
    switch (node.op) {
      case '.':
        return this.#field(node);
      case '[]':
        return this.#binary(node, element);
      case '!_':
        return applied(this.node(node.args), not);
      case '-_':
        return applied(this.node(node.args), negative);
      case '&&':
      case '||':
        return logical(this.node(node.args[0]), this.node(node.args[1]), node.op === '||');
      case '?:':
        return conditional(this.node(node.args[0]), this.node(node.args[1]), this.node(node.args[2]));
      case '==':
        return this.#binary(node, (a, b, budget) => isEqual(a, b, budget));
      case '!=':
        return this.#binary(node, (a, b, budget) => !isEqual(a, b, budget));
      case '<':
        return this.#relation(node, (order) => order < 0);
      case '<=':
        return this.#relation(node, (order) => order <= 0);
      case '>':
        return this.#relation(node, (order) => order > 0);
      case '>=':
        return this.#relation(node, (order) => order >= 0);
      case '+':
      case '-':
      case '*':
      case '/':
      case '%': {
        const operator: ArithmeticOperator = node.op;
        return this.#binary(node, (a, b, budget) => calculate(operator, a, b, budget));
      }
      case 'in':
        return this.#binary(node, isIn);
      case 'list':
        return listOf(node.args.map((one) => this.node(one)));
      case 'call':
        return this.#call(node);
      case 'rcall':
        return this.#method(node);
      case 'map':
      case '.?':
      case '[?]':
        return this.#fault(node, 'Not available in filters.');
    }
  }

  #field(node: ASTNode & { op: '.' }): Evaluate {
    const [left, name] = node.args;
    if (left.op === 'id' && left.args === 'extensions') {
      // An attribute that an event lacks is null, whether it has a name of its own or not.
      return ({ event: { attributes } }) =>
        Object.hasOwn(attributes.extensions, name) ? (attributes.extensions[name] ?? null) : null;
    }
    return field(this.node(left), name);
  }

  #binary(node: { readonly args: readonly [ASTNode, ASTNode] }, apply: Apply): Evaluate {
    return binary(this.node(node.args[0]), this.node(node.args[1]), apply);
  }

  #relation(node: ASTNode & { op: '<' | '<=' | '>' | '>=' }, holds: (order: number) => boolean): Evaluate {
    // Not the node itself: it would keep the tree in memory.
    const { op } = node;
    return this.#binary(node, (a, b, budget) => {
      const order = orderOf(a, b, budget);
      if (order === null) return noOverload(op, a, b);
      return order !== 'unordered' && holds(order);
    });
  }

  #call(node: ASTNode & { op: 'call' }): Evaluate {
    const [name, args] = node.args;
    const [of] = args;
    if (of === undefined || args.length > 1) return this.#unavailable(node, name);
    if (name === 'has') return this.#has(of);
    if (name === 'size') return applied(this.node(of), sizeOf);
    const convert = conversion(name);
    return convert === undefined ? this.#unavailable(node, name) : applied(this.node(of), convert);
  }

  /** Whether a map has a field, also one that is null. What stands before the last point must be there. */
  #has(of: ASTNode): Evaluate {
    if (of.op !== '.') return this.#fault(of, 'has() takes a field, as in has(data.assignee).');
    const name = of.args[1];
    return applied(this.node(of.args[0]), (value) => isMap(value) && Object.hasOwn(value, name));
  }

  #method(node: ASTNode & { op: 'rcall' }): Evaluate {
    const [name, receiver, args] = node.args;
    if (isLoop(name, args.length)) return compileLoop(this, name, receiver, args);
    const [other] = args;
    if (name === 'matches' && other !== undefined) return this.#matches(receiver, other);
    if (other === undefined) {
      const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
      return method === undefined ? this.#unavailable(node, name) : applied(this.node(receiver), method);
    }
    const method = Object.hasOwn(textMethods, name) ? textMethods[name] : undefined;
    if (method === undefined || args.length > 1) return this.#unavailable(node, name);
    return this.#binary({ args: [receiver, other] }, (text, argument, budget) =>
      typeof text === 'string' && typeof argument === 'string'
        ? method(text, argument, budget)
        : noMethod(name, typeof text === 'string' ? argument : text),
    );
  }

  #matches(receiver: ASTNode, literal: ASTNode): Evaluate {
    const of = this.node(receiver);
    if (literal.op !== 'value' || typeof literal.args !== 'string')
      return this.#fault(literal, 'The pattern of matches() must be a literal text.');
    const room = this.#room;
    if (room.patterns === 0) return this.#fault(literal, `At most ${celLimits.patterns} patterns in all.`, 'too-big');
    room.patterns -= 1;
    const pattern = Pattern.parse(literal.args);
    if (typeof pattern === 'string') return this.#fault(literal, pattern);
    room.instructions -= pattern.size;
    if (room.instructions < 0)
      return this.#fault(literal, `At most ${celLimits.instructions} instructions of patterns in all.`, 'too-big');
    return applied(of, (text, budget) =>
      typeof text === 'string' ? pattern.isIn(text, budget) : noMethod('matches', text),
    );
  }

  #fault(node: ASTNode, detail: string, code: CelFault['code'] = 'invalid'): Evaluate {
    this.#findings.faults.push({ code, detail, index: node.start });
    return nothing;
  }

  #unavailable(node: ASTNode, name: string): Evaluate {
    return this.#fault(node, `${name.slice(0, 64)}() is not available in filters, or not with these arguments.`);
  }
}

const eventVariables = new Set<string>(['type', 'data', 'extensions', ...requiredAttributes, ...optionalAttributes]);
const isEventVariable = (name: string): boolean => eventVariables.has(name);
