import type { z } from 'zod';
import type { TextPosition } from '#libs/core';
import { AppError, type Fault } from './app-error.js';

type Issue = z.core.$ZodIssue;

/** The body as its schema describes it. Throws `invalid-body` that lists every fault with its JSON pointer. */
export function checkBody<S extends z.ZodType>(schema: S, body: unknown): z.output<S> {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const errors = faultsOf(result.error.issues).map(({ path, ...fault }) => ({ pointer: pointerOf(path), ...fault }));
  throw new AppError('invalid-body', summary(errors), { errors });
}

/** The query as its schema describes it. Throws `invalid-parameter` that lists every fault. */
export function checkQuery<S extends z.ZodType>(schema: S, query: unknown): z.output<S> {
  const result = schema.safeParse(query);
  if (result.success) return result.data;
  const errors = faultsOf(result.error.issues).map(({ path, code, detail }) => ({
    parameter: String(path[0] ?? ''),
    code,
    detail,
  }));
  throw new AppError('invalid-parameter', summary(errors), { errors });
}

/** RFC 6901. */
export function pointerOf(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

interface Located {
  readonly path: readonly PropertyKey[];
  readonly code: string;
  readonly detail: string;
  readonly position?: TextPosition;
}

function faultsOf(issues: readonly Issue[]): Located[] {
  return issues.flatMap((issue): Located[] => {
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({ path: [...issue.path, key], code: 'unknown-field', detail: 'No such field.' }));
    }
    const missing = issue.code === 'invalid_type' && issue.input === undefined && issue.message.includes('undefined');
    if (missing) return [{ path: issue.path, code: 'required', detail: 'It must be given.' }];
    const fault = { path: issue.path, code: codeOf(issue), detail: `${issue.message}.`.replace(/\.+$/, '.') };
    const position = positionOf(issue);
    return [position === undefined ? fault : { ...fault, position }];
  });
}

function codeOf(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return 'wrong-type';
    case 'too_big':
      return 'too-big';
    case 'too_small':
      return 'too-small';
    case 'invalid_value':
      return 'not-one-of';
    case 'custom':
      // Checks of our own may name theirs.
      return typeof issue.params?.['code'] === 'string' ? issue.params['code'] : 'invalid';
    default:
      return 'invalid';
  }
}

/** Checks of our own may name where in a text a fault stands. */
const positionOf = (issue: Issue): TextPosition | undefined =>
  issue.code === 'custom' ? (issue.params?.['position'] as TextPosition | undefined) : undefined;

const summary = (errors: readonly Fault[]): string =>
  errors.length === 1 ? 'One thing does not fit.' : `${errors.length} things do not fit.`;
