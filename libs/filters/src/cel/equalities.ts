import type { ASTNode } from '@marcbachmann/cel-js';
import { optionalAttributes, requiredAttributes } from './language.js';
import type { Discriminator } from '#libs/core';

/** What must be equal for the expression to be true: its conjuncts `attribute == "text"` and `data.x.y == "text"`. */
export function equalitiesOf(ast: ASTNode): readonly Discriminator[] {
  if (ast.op === '&&') return [...equalitiesOf(ast.args[0]), ...equalitiesOf(ast.args[1])];
  if (ast.op !== '==') return [];
  const [left, right] = ast.args;
  return equality(left, right) ?? equality(right, left) ?? [];
}

function equality(of: ASTNode, literal: ASTNode): readonly Discriminator[] | null {
  if (literal.op !== 'value' || typeof literal.args !== 'string') return null;
  const path = pathOf(of);
  return path === null ? null : [{ path, value: literal.args }];
}

const attributes = new Set<string>(['type', ...requiredAttributes, ...optionalAttributes]);

/** As `discriminatorsOf` writes it; null for anything but an attribute and fields below `data`. */
function pathOf(node: ASTNode): string | null {
  if (node.op === 'id') return attributes.has(node.args) ? node.args : null;
  if (node.op !== '.') return null;
  const [of, name] = node.args;
  if (of.op === 'id' && of.args === 'extensions') return name;
  if (of.op === 'id' && of.args === 'data') return `data.${name}`;
  const above = pathOf(of);
  return above?.startsWith('data.') === true ? `${above}.${name}` : null;
}
