import { z } from 'zod';
import { problems, type ProblemCode } from '../problem/app-error.js';
import { problemContentType, type Problem } from '../problem/problem.js';
import type { JsonSchema, JsonSchemas } from './json-schema.js';

const codes = Object.keys(problems) as [ProblemCode, ...ProblemCode[]];

/** RFC 9457. */
const problemAnswer = z
  .object({
    type: z.string().meta({ example: 'urn:posthorn:problem:not-found' }),
    title: z.string().meta({ example: 'There is no such thing' }),
    status: z.int().meta({ example: 404 }),
    detail: z.string().meta({ description: 'For people.', example: 'There is no endpoint "ep_1".' }),
    instance: z.string().meta({ description: "The request's path.", example: '/v1/endpoints/ep_1' }),
    requestId: z
      .string()
      .meta({ description: 'As `X-Request-Id` has it.', example: 'req_019ab3f2c41e7c3f9d1f2a7c5b6e8d90' }),
    code: z.enum(codes).meta({ description: 'Stable: never renamed.', example: 'not-found' }),
    errors: z
      .array(
        z.object({
          pointer: z.string().optional().meta({ description: 'JSON Pointer (RFC 6901) into the body.' }),
          parameter: z.string().optional(),
          header: z.string().optional(),
          index: z.int().optional().meta({ description: 'Position in the batch.' }),
          position: z
            .object({ index: z.int(), line: z.int(), column: z.int() })
            .optional()
            .meta({ description: 'Where in a text of its own language it stands.' }),
          line: z.int().optional(),
          code: z.string().meta({ example: 'required' }),
          detail: z.string(),
        }),
      )
      .optional()
      .meta({ description: 'Each thing that is wrong, and where.' }),
  })
  .meta({ id: 'Problem' });

/** Responses by status, each with the codes that it may have. */
export function problemAnswers(
  of: readonly ProblemCode[],
  schemas: JsonSchemas,
): Record<string, { readonly name: string; readonly response: JsonSchema }> {
  const problem = schemas.output(problemAnswer);
  const byStatus = Map.groupBy([...new Set(of)].toSorted(), (code) => problems[code][0]);
  return Object.fromEntries(
    [...byStatus]
      .toSorted(([a], [b]) => a - b)
      .map(([status, those]) => [
        String(status),
        { name: [status, ...those].join('.'), response: responseOf(problem, those) },
      ]),
  );
}

function responseOf(problem: JsonSchema, those: readonly ProblemCode[]): JsonSchema {
  return {
    description: those.map((code) => `\`${code}\`: ${problems[code][1]}.`).join(' '),
    content: {
      [problemContentType]: {
        schema: { allOf: [problem, { type: 'object', properties: { code: { enum: those } } }] },
        examples: Object.fromEntries(those.map((code) => [code, { value: problemExample(code) }])),
      },
    },
  };
}

const problemExample = (code: ProblemCode): Problem => ({
  type: `urn:posthorn:problem:${code}`,
  title: problems[code][1],
  status: problems[code][0],
  detail: 'In words, for people.',
  instance: '/v1/…',
  requestId: 'req_019ab3f2c41e7c3f9d1f2a7c5b6e8d90',
  code,
});
