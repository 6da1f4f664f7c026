import type { ASTNode } from '@marcbachmann/cel-js';
import { attributeOf } from '#libs/core';
import { calculate, noOverload, type ArithmeticOperator } from './arithmetic.js';
import type { Budget } from './budget.js';
import { isEqual, orderOf } from './comparison.js';
import { conversions } from './conversions.js';
import { notBool, type Evaluate, type LoopCompiler } from './evaluation.js';
import { celLimits, optionalAttributes, requiredAttributes, typeAttribute, type CelFault } from './language.js';
import { compileLoop, isLoop } from './loops.js';
import { methods, noMethod, sizeOf, textMethods } from './methods.js';
import { Pattern } from './pattern.js';
import { Failure, isList, isMap, typeName, type CelValue, type Result } from './value.js';

/** What the compiler finds out beside the function. */
export interface Findings {
  readonly faults: CelFault[];
  readsData: boolean;
  /** Compiling one may take milliseconds. */
  patternsLeft: number;
}

/**
 * A tree of the grammar as a function. The library's own evaluator is not used: nothing bounds its time, and it searches
 * with JavaScript's regular expressions (docs/decisions/0010). Faults are noted, then the function must not be used. Renames the
 * attribute `type` in the tree, for the check of types that follows.
 */
export function compileCel(
  ast: ASTNode,
  patternsLeft: number,
): { readonly evaluate: Evaluate; readonly findings: Findings } {
  const findings: Findings = { faults: [], readsData: false, patternsLeft };
  const evaluate = new Compiler(findings).node(ast);
  return { evaluate, findings };
}

const nothing: Evaluate = () => new Failure('Not compiled');

class Compiler implements LoopCompiler {
  readonly #findings: Findings;
  readonly #loopVariables: string[] = [];

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  fault(node: ASTNode, detail: string, code: CelFault['code'] = 'invalid', index = node.start): Evaluate {
    this.#findings.faults.push({ code, detail, index });
    return nothing;
  }

  /** The function of a node takes a step each time, but for the leaves. */
  node(node: ASTNode): Evaluate {
    if (node.op === 'value') return this.#literal(node);
    if (node.op === 'id') return this.#variable(node);
    const evaluate = this.#composed(node);
    return (run) => {
      run.budget.spend(1);
      return evaluate(run);
    };
  }

  /** The body of a loop, in which a variable is known. Its place is `depth` of the run's variables. */
  body(variable: ASTNode, nodes: readonly ASTNode[]): { readonly slot: number; readonly bodies: Evaluate[] } {
    const slot = this.#loopVariables.length;
    if (variable.op !== 'id') this.fault(variable, 'Must be the name of a variable.');
    else if (isEventVariable(variable.args))
      this.fault(variable, `${variable.args} is a variable of the event already.`);
    else if (slot === celLimits.loops)
      this.fault(variable, `At most ${celLimits.loops} loops within each other.`, 'too-big');
    this.#loopVariables.push(variable.op === 'id' ? variable.args : '');
    const bodies = nodes.map((one) => this.node(one));
    this.#loopVariables.pop();
    return { slot, bodies };
  }

  #literal(node: ASTNode & { op: 'value' }): Evaluate {
    const value = node.args;
    if (typeof value === 'object' && value !== null)
      return this.fault(node, 'There are no bytes and no unsigned numbers in an event.');
    if (typeof value === 'bigint' && value >= 2n ** 63n) return this.fault(node, 'Beyond 64 bits.', 'too-big');
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
    return this.fault(node, `Unknown variable: ${said}. Fields of an event's data are written data.${said}.`);
  }

  #composed(node: Exclude<ASTNode, { op: 'value' | 'id' }>): Evaluate {
    switch (node.op) {
      case '.':
        return this.#field(node);
      case '[]':
        return this.#element(node);
      case '!_':
        return this.#unary(node.args, '!', (value) => (typeof value === 'boolean' ? !value : null));
      case '-_':
        return this.#unary(node.args, '-', (value) =>
          typeof value === 'number' || typeof value === 'bigint' ? -value : null,
        );
      case '&&':
        return this.#logical(node, false);
      case '||':
        return this.#logical(node, true);
      case '?:':
        return this.#conditional(node);
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
        return this.#list(node.args);
      case 'call':
        return this.#call(node);
      case 'rcall':
        return this.#method(node);
      case 'map':
      case '.?':
      case '[?]':
        return this.fault(node, 'Not available in filters.');
    }
  }

  #field(node: ASTNode & { op: '.' }): Evaluate {
    const [left, name] = node.args;
    if (left.op === 'id' && left.args === 'extensions' && !this.#loopVariables.includes('extensions')) {
      // An attribute that an event lacks is null, whether it has a name of its own or not.
      return ({ event: { attributes } }) =>
        Object.hasOwn(attributes.extensions, name) ? (attributes.extensions[name] ?? null) : null;
    }
    const map = this.node(left);
    const absent = new Failure(`No such field: ${name.slice(0, 64)}`);
    return (run) => {
      const value = map(run);
      if (value instanceof Failure) return value;
      return isMap(value) && Object.hasOwn(value, name) ? (value[name] ?? null) : absent;
    };
  }

  #element(node: ASTNode & { op: '[]' }): Evaluate {
    return this.#binary(node, (of, key) => {
      if (isList(of) && (typeof key === 'bigint' || typeof key === 'number')) {
        // A place beyond what a double can say is none either.
        return of[Number(key)] ?? (Object.hasOwn(of, Number(key)) ? null : noElement);
      }
      if (isMap(of) && typeof key === 'string') return Object.hasOwn(of, key) ? (of[key] ?? null) : noElement;
      return new Failure(`No such overload: ${typeName(of)}[${typeName(key)}]`);
    });
  }

  #unary(of: ASTNode, operator: string, apply: (value: CelValue) => CelValue | null): Evaluate {
    const operand = this.node(of);
    return (run) => {
      const value = operand(run);
      if (value instanceof Failure) return value;
      return apply(value) ?? new Failure(`No such overload: ${operator}${typeName(value)}`);
    };
  }

  /** `decisive` of either side decides, also when the other one is an error. */
  #logical(node: ASTNode & { op: '&&' | '||' }, decisive: boolean): Evaluate {
    const [left, right] = [this.node(node.args[0]), this.node(node.args[1])];
    return (run) => {
      const first = left(run);
      if (first === decisive) return decisive;
      const second = right(run);
      if (second === decisive) return decisive;
      if (typeof first === 'boolean' && typeof second === 'boolean') return !decisive;
      const wrong = typeof first === 'boolean' ? second : first;
      return wrong instanceof Failure ? wrong : notBool(wrong);
    };
  }

  #conditional(node: ASTNode & { op: '?:' }): Evaluate {
    const [condition, then, otherwise] = [this.node(node.args[0]), this.node(node.args[1]), this.node(node.args[2])];
    return (run) => {
      const value = condition(run);
      if (typeof value === 'boolean') return value ? then(run) : otherwise(run);
      return value instanceof Failure ? value : notBool(value);
    };
  }

  #binary(
    node: { readonly args: readonly [ASTNode, ASTNode] },
    apply: (a: CelValue, b: CelValue, budget: Budget) => Result,
  ): Evaluate {
    const [left, right] = [this.node(node.args[0]), this.node(node.args[1])];
    return (run) => {
      const a = left(run);
      if (a instanceof Failure) return a;
      const b = right(run);
      return b instanceof Failure ? b : apply(a, b, run.budget);
    };
  }

  #relation(node: ASTNode & { op: '<' | '<=' | '>' | '>=' }, holds: (order: number) => boolean): Evaluate {
    return this.#binary(node, (a, b, budget) => {
      const order = orderOf(a, b, budget);
      if (order === null) return noOverload(node.op, a, b);
      return order !== 'unordered' && holds(order);
    });
  }

  #list(nodes: readonly ASTNode[]): Evaluate {
    const elements = nodes.map((one) => this.node(one));
    return (run) => {
      const values: CelValue[] = [];
      for (const element of elements) {
        const value = element(run);
        if (value instanceof Failure) return value;
        values.push(value);
      }
      return values;
    };
  }

  #call(node: ASTNode & { op: 'call' }): Evaluate {
    const [name, args] = node.args;
    const [of] = args;
    if (of === undefined || args.length > 1) return this.#unavailable(node, name);
    if (name === 'has') return this.#has(of);
    if (name === 'size') return this.#apply(of, sizeOf);
    const convert = Object.hasOwn(conversions, name) ? conversions[name] : undefined;
    return convert === undefined ? this.#unavailable(node, name) : this.#apply(of, convert);
  }

  /** Whether a map has a field, also one that is null. What stands before the last point must be there. */
  #has(of: ASTNode): Evaluate {
    if (of.op !== '.') return this.fault(of, 'has() takes a field, as in has(data.assignee).');
    const map = this.node(of.args[0]);
    const name = of.args[1];
    return (run) => {
      const value = map(run);
      return value instanceof Failure ? value : isMap(value) && Object.hasOwn(value, name);
    };
  }

  #method(node: ASTNode & { op: 'rcall' }): Evaluate {
    const [name, receiver, args] = node.args;
    if (isLoop(name, args.length)) return compileLoop(this, name, receiver, args);
    const [other] = args;
    if (name === 'matches' && other !== undefined) return this.#matches(receiver, other);
    if (other === undefined) {
      const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
      return method === undefined ? this.#unavailable(node, name) : this.#apply(receiver, method);
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
      return this.fault(literal, 'The pattern of matches() must be a literal text.');
    if (this.#findings.patternsLeft === 0)
      return this.fault(literal, `At most ${celLimits.patterns} patterns in all.`, 'too-big');
    this.#findings.patternsLeft -= 1;
    const pattern = Pattern.parse(literal.args);
    if (typeof pattern === 'string') return this.fault(literal, pattern);
    return (run) => {
      const text = of(run);
      if (text instanceof Failure) return text;
      return typeof text === 'string' ? pattern.isIn(text, run.budget) : noMethod('matches', text);
    };
  }

  #apply(of: ASTNode, apply: (value: CelValue, budget: Budget) => Result): Evaluate {
    const operand = this.node(of);
    return (run) => {
      const value = operand(run);
      return value instanceof Failure ? value : apply(value, run.budget);
    };
  }

  #unavailable(node: ASTNode, name: string): Evaluate {
    return this.fault(node, `${name.slice(0, 64)}() is not available in filters, or not with these arguments.`);
  }
}

const eventVariables = new Set<string>(['type', 'data', 'extensions', ...requiredAttributes, ...optionalAttributes]);
const isEventVariable = (name: string): boolean => eventVariables.has(name);

const noElement = new Failure('No such element');

function isIn(value: CelValue, among: CelValue, budget: Budget): Result {
  if (isList(among)) {
    budget.spend(among.length);
    return among.some((one) => isEqual(value, one, budget));
  }
  if (isMap(among) && typeof value === 'string') return Object.hasOwn(among, value);
  return noOverload('in', value, among);
}
